import type { Lookup } from '../../verify.js';
import { make, maybe } from './elements.js';
import { listedFor, pathOf } from './list.js';
import type { FileAnswer, FileRequest } from './messages.js';

/** Accepts files that the reader drops or chooses, and shows the results. Files never leave the browser. */
export function watchFiles(ask: (request: FileRequest) => void): {
  readonly hear: (about: FileAnswer) => void;
} {
  const results = maybe('results');
  const boxes = new Map<number, HTMLElement>();
  const take = (files: Iterable<File>, path: string | null) => {
    for (const file of files) {
      const id = boxes.size;
      const box = make('div', {
        className: 'result',
        children: [make('p', { text: `Reading ${file.name} …` })],
      });
      boxes.set(id, box);
      results?.prepend(box);
      ask({ kind: 'check', id, file, path });
    }
    results?.scrollIntoView({ block: 'center' });
  };
  takeDropped(take);
  takeChosen(take);
  return {
    hear: (about) => {
      const box = boxes.get(about.id);
      if (box !== undefined) tell(box, about);
    },
  };
}

type Take = (files: Iterable<File>, path: string | null) => void;

function takeDropped(take: Take): void {
  const { documentElement: root } = document;
  let target: HTMLElement | null = null;
  const aim = (row: HTMLElement | null) => {
    if (row === target) return;
    target?.classList.remove('target');
    row?.classList.add('target');
    target = row;
  };
  const rowUnder = ({ target: under }: DragEvent) =>
    under instanceof Element ? under.closest<HTMLElement>('#list tbody tr') : null;
  document.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files') !== true) return;
    event.preventDefault();
    root.classList.add('dragging');
    aim(rowUnder(event));
  });
  const leave = () => {
    root.classList.remove('dragging');
    aim(null);
  };
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) leave();
  });
  document.addEventListener('drop', (event) => {
    if (event.dataTransfer === null || event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    const row = rowUnder(event);
    leave();
    take(event.dataTransfer.files, row === null ? null : pathOf(row));
  });
}

/** A file chooser for keyboards and fingers, also for one row. */
function takeChosen(take: Take): void {
  const input = maybe('file');
  if (!(input instanceof HTMLInputElement)) return;
  let path: string | null = null;
  const drop = maybe('drop');
  if (drop !== null) drop.hidden = false;
  input.addEventListener('change', () => {
    take(Array.from(input.files ?? []), path);
    input.value = '';
    path = null;
  });
  input.addEventListener('click', (event) => {
    // A click by the reader, and not by the button of a row, is for any file.
    if (event.isTrusted) path = null;
  });
  document.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest<HTMLElement>('button[data-check]') : null;
    if (button === null) return;
    path = button.dataset['check'] ?? null;
    input.click();
  });
}

function tell(box: HTMLElement, about: FileAnswer): void {
  if (about.kind === 'progress') {
    const percent = about.of === 0 ? 100 : Math.floor((100 * about.done) / about.of);
    box.replaceChildren(make('p', { text: `Reading … ${percent} %` }));
    return;
  }
  fill(box, sentence(about));
}

interface Sentence {
  readonly level: 'good' | 'old' | 'bad';
  readonly title: string;
  readonly text: string;
  readonly hashes: readonly (readonly [label: string, sha256: string])[];
}

function sentence(about: Exclude<FileAnswer, { kind: 'progress' }>): Sentence {
  if (about.kind === 'checked') return ofCheck(about);
  if (about.kind === 'hashed') return ofHash(about);
  return { level: 'old', title: `${about.name} could not be read`, text: about.message, hashes: [] };
}

function ofCheck({ name, size, sha256, lookup, stale }: FileAnswer & { kind: 'checked' }): Sentence {
  const found = [['found', sha256]] as const;
  if (lookup === null) {
    const text = 'There is no database here whose signature was found good, so it cannot be compared.';
    return { level: 'old', title: `${name}: only hashed`, text, hashes: found };
  }
  const said = ofLookup(lookup, { name, size });
  const hashes = lookup.kind === 'altered' ? [['expected', lookup.entry.SHA256] as const, ...found] : found;
  if (!stale || said.level !== 'good') return { ...said, hashes };
  const text = `${said.text} But the database is stale: there may be a newer release.`;
  return { ...said, level: 'old', text, hashes };
}

/** Compares with a list that nobody has verified: a match proves little, but a difference is worth knowing. */
function ofHash({ name, sha256, path }: FileAnswer & { kind: 'hashed' }): Sentence {
  const listed = listedFor({ name, sha256, path });
  const hashes = [['found', sha256]] as const;
  if (listed === null) {
    const text = 'This page lists no file with that hash or name.';
    return { level: 'old', title: `${name}: only hashed`, text, hashes };
  }
  if (listed.sha256 === sha256) {
    return {
      level: 'old',
      title: `${name} has the hash on this page, which was not checked`,
      text: `This page shows that hash for ${listed.path}. ${listed.yanked === null ? '' : `${listed.yanked}. `}Whoever could change the file on its way to you could have changed the page as well.`,
      hashes,
    };
  }
  return {
    level: 'bad',
    title: `${name} does NOT have the hash on this page: do not use it`,
    text: `This page shows another hash for ${listed.path}. An incomplete download looks like this, too.`,
    hashes: [['on this page', listed.sha256], ...hashes],
  };
}

function ofLookup(lookup: Lookup, { name, size }: { name: string; size: number }): Omit<Sentence, 'hashes'> {
  switch (lookup.kind) {
    case 'listed':
      return {
        level: 'good',
        title: `${name} is as signed`,
        text: `It is ${listedWords(lookup)}: every byte is the one that was listed.`,
      };
    case 'renamed':
      return {
        level: 'old',
        title: `${name} is genuine, under another name`,
        text: `It is ${listedWords(lookup)}. If you looked for something else, such as a newer version, do not use it.`,
      };
    case 'yanked':
      return {
        level: 'old',
        title: `${name} is genuine, and was yanked`,
        text: `It is ${lookup.path}. The maintainer withdrew it from use: ${lookup.reason}`,
      };
    case 'withdrawn':
      return {
        level: 'old',
        title: `${name} was listed once, and is no longer`,
        text: `It is what ${lookup.path} was before ${lookup.withdrawal.Until.toISOString().slice(0, 10)}. ${lookup.withdrawal.Reason ?? ''}`,
      };
    case 'altered':
      return {
        level: 'bad',
        title: `${name} is NOT what was signed: do not use it`,
        text: `${lookup.path} has other bytes (${lookup.entry.Size.toLocaleString('en-US')} of them; this file has ${size.toLocaleString('en-US')}). An incomplete download looks like this, too.`,
      };
    case 'unknown':
      return {
        level: 'bad',
        title: `${name} is not in this database`,
        text: 'Nobody here has said anything about it.',
      };
  }
}

function listedWords({ path, entry: { Name, Version } }: Lookup & { kind: 'listed' | 'renamed' }): string {
  return Name === undefined ? path : `${path}, ${Name} ${Version}`;
}

function fill(box: HTMLElement, { level, title, text, hashes }: Sentence): void {
  box.className = `result ${level}`;
  box.replaceChildren(
    make('p', { children: [make('strong', { children: [make('bdi', { text: title })] })] }),
    make('p', { children: [make('bdi', { text })] }),
    ...hashes.map(([label, sha256]) =>
      make('p', { children: [`${label}: `, make('code', { text: sha256 })] }),
    ),
  );
}
