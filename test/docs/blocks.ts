import { readFileSync, readdirSync } from 'node:fs';

/** The documents whose commands a reader types. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** A fenced block of a document, or shell commands that only prepare the place (`<!-- given: … -->`). */
export interface Block {
  /** What follows the fence: `console`, `sh`, `json`; `given` for a preparation. */
  readonly language: string;
  readonly text: string;
  /** Where `text` begins in the document. */
  readonly at: number;
  /** Why it is not run (`<!-- not run: … -->`); null if it is. */
  readonly reason: string | null;
  /** How its last command ends (`<!-- exit status: 1 -->`). */
  readonly status: number;
}

const NOTE_OR_BLOCK =
  /<!-- (?<note>given|not run|exit status): (?<said>[^]*?) -->|^```(?<language>\w*)\n(?<text>[^]*?)^```$/gm;

/** Every block of a document in order. A note counts for the next block. */
export function blocksOf(document: string): readonly Block[] {
  const blocks: Block[] = [];
  let notes: Record<string, string> = {};
  for (const { index, 0: all, groups = {} } of readFileSync(document, 'utf8').matchAll(NOTE_OR_BLOCK)) {
    const { note, said = '', language = '', text = '' } = groups;
    if (note === 'given') {
      blocks.push({ language: 'given', text: said, at: index, reason: null, status: 0 });
    } else if (note === undefined) {
      const status = Number(notes['exit status'] ?? 0);
      const at = index + all.indexOf('\n') + 1;
      blocks.push({ language, text, at, reason: notes['not run'] ?? null, status });
      notes = {};
    } else {
      notes = { ...notes, [note]: said };
    }
  }
  return blocks;
}

/** A command and the output that the document shows; null where it shows none. */
export interface Step {
  /** As it is written in the document, with its line end. */
  readonly command: string;
  readonly expected: string | null;
}

const TYPED = /^\$ ((?:.*\\\n)*.*\n(?:> (?:.*\\\n)*.*\n)*)((?:(?!\$ ).*\n)*)/gm;
const LINE = /^(?!#|$)(?:.*\\\n)*.*\n/gm;

/** The commands of a block. In `console`, a command begins with `$ ` and goes on behind `\` or after `> `. */
export function stepsOf({ language, text }: Block): readonly Step[] {
  if (language === 'console') {
    return Array.from(text.matchAll(TYPED), ([, command = '', expected = '']) => ({ command, expected }));
  }
  if (language === 'given') return [{ command: text, expected: null }];
  return Array.from(text.match(LINE) ?? [], (command) => ({ command, expected: null }));
}
