/** What the scripts of the page do with its elements. Text goes in as text, never as HTML (threat T18). */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** The same where a template may have left it out. */
export function maybe(id: string): HTMLElement | null {
  return document.getElementById(id);
}

export function show(target: HTMLElement, text: string): void {
  target.textContent = text;
  target.hidden = false;
}

export interface Making {
  readonly text?: string;
  readonly className?: string;
  readonly children?: readonly (Node | string)[];
}

export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { text, className, children = [] }: Making = {},
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== undefined) made.className = className;
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** Says something to those who cannot see it. */
export function announce(text: string): void {
  const place = maybe('said');
  if (place !== null) place.textContent = text;
}

/** Replaces the text of elements whose text a function changes. */
export function onText(elements: Iterable<Element>, change: (text: string) => string): void {
  for (const place of elements) {
    const before = place.textContent;
    const after = change(before);
    if (after !== before) place.textContent = after;
  }
}
