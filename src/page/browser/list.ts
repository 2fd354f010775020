import { checkLine } from '../../model/checksums.js';
import { fileNameOf } from '../../model/file-entry.js';
import { downloadedName } from '../../model/lookup.js';
import { make, maybe } from './elements.js';
import type { FileAnswer } from './messages.js';

/** A group of rows with their text; browsers lay out one group at a time. */
interface Group {
  readonly body: HTMLElement;
  readonly rows: readonly { readonly row: HTMLElement; readonly text: string }[];
}

const PAUSE_MS = 80;

/** Makes the list searchable, and adds buttons to rows as they come near. */
export function growList(): void {
  const list = maybe('list');
  if (list === null) return;
  growRows(list);
  const box = maybe('search-box');
  const input = maybe('search');
  const result = maybe('search-result');
  if (box === null || result === null || !(input instanceof HTMLInputElement)) return;
  box.hidden = false;
  let groups: readonly Group[] | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = () => {
    groups ??= groupsOf(list);
    result.textContent = filter(groups, input.value);
  };
  input.addEventListener('focus', () => {
    groups ??= groupsOf(list);
  });
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(run, PAUSE_MS);
  });
  // After a reload a browser may restore the text.
  if (input.value !== '') run();
}

function groupsOf(list: HTMLElement): readonly Group[] {
  return Array.from(list.querySelectorAll('tbody'), (body) => ({
    body,
    rows: Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase() })),
  }));
}

/** Shows the rows that contain every word. Returns the number of them in words, for screen readers too. */
function filter(groups: readonly Group[], wanted: string): string {
  const words = wanted
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  let found = 0;
  for (const { body, rows } of groups) {
    let left = 0;
    for (const { row, text } of rows) {
      const isWanted = words.every((word) => text.includes(word));
      if (row.hidden === isWanted) row.hidden = !isWanted;
      if (isWanted) left += 1;
    }
    body.hidden = left === 0;
    found += left;
  }
  for (const platform of document.querySelectorAll<HTMLElement>('.platform'))
    platform.hidden = platform.querySelector('tbody:not([hidden])') === null;
  if (words.length === 0) return '';
  return found === 0 ? 'Nothing found' : `${found.toLocaleString('en-US')} found`;
}

/** Twenty thousand buttons out of sight would cost more than the list itself. */
function growRows(list: HTMLElement): void {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting || !(target instanceof HTMLTableSectionElement)) continue;
        observer.unobserve(target);
        for (const row of target.rows) growRow(row);
      }
    },
    { rootMargin: '600px' },
  );
  for (const body of list.querySelectorAll('tbody')) observer.observe(body);
}

function growRow(row: HTMLTableRowElement): void {
  const hash = row.querySelector('code');
  const path = pathOf(row);
  if (hash === null || path === null) return;
  hash.after(
    makeButton('Copy', `Copy the SHA-256 of ${path}`, { copy: '', text: hash.textContent }),
    makeButton('sha256sum', `Copy a line for sha256sum that checks ${path}`, {
      copy: '',
      text: checkLine(hash.textContent, path),
    }),
    makeButton('Check a file', `Check a file against ${path}`, { check: path }),
  );
}

function makeButton(text: string, label: string, data: Readonly<Record<string, string>>): HTMLButtonElement {
  const button = make('button', { text });
  button.type = 'button';
  button.setAttribute('aria-label', label);
  Object.assign(button.dataset, data);
  return button;
}

/** A file in the list on the page. */
export interface Listed {
  readonly path: string;
  readonly sha256: string;
  /** Why it was yanked; null if it was not. */
  readonly yanked: string | null;
}

type Wanted = Pick<FileAnswer & { kind: 'hashed' }, 'name' | 'sha256' | 'path'>;

/** The line for a file: that of `path` if it is given, else one with its hash, else one with its name. */
export function listedFor({ name, sha256, path }: Wanted): Listed | null {
  let named: Listed | null = null;
  for (const row of document.querySelectorAll<HTMLElement>('#list tbody tr')) {
    const own = pathOf(row);
    const hash = row.querySelector('code')?.textContent;
    if (own === null || hash === undefined) continue;
    const yanked = row.querySelector('.reason')?.textContent ?? null;
    const listed = { path: own, sha256: hash, yanked };
    if (path === null ? hash === sha256 : own === path) return listed;
    if (path === null && fileNameOf(own) === downloadedName(name)) named ??= listed;
  }
  return named;
}

/** The path of a row's file, relative to the page. */
export function pathOf(row: HTMLElement): string | null {
  const { path } = row.dataset;
  if (path !== undefined) return path;
  const href = row.querySelector('a')?.getAttribute('href');
  return href == null ? null : decodeURIComponent(href);
}
