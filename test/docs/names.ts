/** What differs from run to run and means nothing to the comparison. */
const LOOSE: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<date>'],
  [/\d{4}-\d\d-\d\d/g, '<day>'],
  [/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) .*\d\d:\d\d:\d\d.*\b\d{4}\b.*/g, '<date in words>'],
  [/\d+ hashed, \d+ known/g, '<n> hashed, <n> known'],
  [/[\d.,]+ (?:bytes|kB|MB)/g, '<size>'],
  [/\b\d+(?:\.\d)? m?s\b/g, '<time>'],
  [/process \d+/g, 'process <number>'],
];

/** Fingerprints, also in groups, and hashes: one of the document stands for one of the run, everywhere. */
const STRICT = /\b(?:[0-9A-F]{4} ){5}(?: [0-9A-F]{4}){5}|\b[0-9A-F]{40}\b|\b[0-9a-f]{64}\b/g;

/** The fingerprints and hashes of a document, and those of the run that they stand for. */
export type Names = Map<string, string>;

/** A text of the document with the values of this run. */
export function ofRun(text: string, names: Names): string {
  return replaced(text, names);
}

/** A text of the run with the values of the document, where it has some. */
export function ofDocument(text: string, names: Names): string {
  return replaced(text, new Map(Array.from(names, ([document, run]) => [run, document])));
}

function replaced(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(STRICT, (value) => {
    const other = values.get(solid(value));
    if (other === undefined) return value;
    return value.includes(' ') ? grouped(other) : other;
  });
}

const solid = (value: string) => value.replaceAll(' ', '');
const grouped = (value: string) =>
  [value.slice(0, 20), value.slice(20)].map((half) => half.replace(/\w{4}(?=\w)/g, '$& ')).join('  ');

/**
 * Whether a run printed what the document shows. A line `…` stands for any lines. Without it the order may differ, since
 * keys are sorted by their fingerprints. Learns what the values of the document stand for.
 */
export function agrees(expected: string, actual: string, names: Names): boolean {
  if (!/^…$/m.test(expected)) return agreesInOrder(ordered(expected), ordered(actual), names);
  return agreesInOrder(expected, actual, names);
}

function ordered(text: string): string {
  const shaped = text.split('\n').map((line) => [shape(line), line] as const);
  return shaped
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, line]) => line)
    .join('\n');
}

function agreesInOrder(expected: string, actual: string, names: Names): boolean {
  const lines = actual.split('\n');
  let at = 0;
  let isOpen = false;
  for (const line of expected.split('\n')) {
    if (line === '…') {
      isOpen = true;
      continue;
    }
    while (isOpen && at < lines.length && !isLine(line, lines[at]!, names)) at += 1;
    if (at >= lines.length || !isLine(line, lines[at]!, names)) return false;
    at += 1;
    isOpen = false;
  }
  return at === lines.length;
}

function isLine(expected: string, actual: string, names: Names): boolean {
  if (shape(expected) !== shape(actual)) return false;
  const [ours, theirs] = [expected.match(STRICT) ?? [], actual.match(STRICT) ?? []];
  return ours.every((value, index) => {
    const [document, run] = [solid(value), solid(theirs[index]!)];
    // Neither may stand for two.
    if (!names.has(document) && !Array.from(names.values()).includes(run)) names.set(document, run);
    return names.get(document) === run;
  });
}

function shape(line: string): string {
  const named = line.replace(STRICT, (value) => `<${value.length}>`);
  return LOOSE.reduce((text, [pattern, name]) => text.replace(pattern, name), named);
}
