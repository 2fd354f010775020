/** Where a text stops being JSON, in the words of a person who edits it. */
export interface JsonFault {
  readonly line: number;
  readonly column: number;
  readonly what: string;
  /** The line, as it is in the text. */
  readonly text: string;
}

const TOKEN =
  // eslint-disable-next-line no-control-regex
  /[{}[\]:,]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y;
const BLANK = /[ \t\r\n]*/y;

/** The first fault of a text that `JSON.parse` refuses. */
export function faultIn(text: string): JsonFault {
  /** The closing mark of each open object and list. */
  const open: ('}' | ']')[] = [];
  let last = '';
  for (let at = after(BLANK, text, 0); ; at = after(BLANK, text, at)) {
    const end = after(TOKEN, text, at);
    const token = text.slice(at, end);
    const isKey = open.at(-1) === '}' && (last === '{' || last === ',');
    const what = complaintOf(token, { last, isKey, close: open.at(-1), next: text.slice(at, at + 2) });
    if (what !== null) return faultAt(text, at, what);
    if (token === '{' || token === '[') open.push(token === '{' ? '}' : ']');
    if (token === '}' || token === ']') open.pop();
    last = isKey && token !== '}' ? 'key' : '{[:,'.includes(token) ? token : 'value';
    at = end;
  }
}

interface Around {
  /** What came before: a mark, a `key`, a `value`, or nothing. */
  readonly last: string;
  readonly isKey: boolean;
  readonly close: '}' | ']' | undefined;
  readonly next: string;
}

/** Why a token cannot be there; null if it can. */
function complaintOf(token: string, { last, isKey, close, next }: Around): string | null {
  const isClosing = token === '}' || token === ']';
  if (last === ',' && isClosing) return `there is a comma before this ${token}, and nothing behind it`;
  if (/^(?:\/\/|\/\*|#)/.test(next)) return 'JSON has no comments';
  if (next === '') return close === undefined ? 'it is empty' : `it ends here, before a ${close}`;
  if (next.startsWith('"') && token === '') return 'this text has no end on its line, or a wrong backslash';
  if (last === 'key') return token === ':' ? null : 'expected a colon after the key';
  if (last === 'value') {
    if (close === undefined) return 'expected nothing more';
    return token === ',' || token === close ? null : `expected a comma or a ${close}`;
  }
  if (isClosing && token === close && (last === '{' || last === '[')) return null;
  if (isKey) return token.startsWith('"') ? null : 'expected a key in double quotes';
  return token === '' || isClosing || token === ',' || token === ':' ? 'expected a value' : null;
}

function after(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function faultAt(text: string, at: number, what: string): JsonFault {
  const begins = text.lastIndexOf('\n', at - 1) + 1;
  const ends = text.indexOf('\n', at);
  const line = text.slice(begins, ends === -1 ? undefined : ends).replace(/\r$/, '');
  return { line: text.slice(0, at).split('\n').length, column: at - begins + 1, what, text: line };
}
