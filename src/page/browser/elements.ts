// The page's scripts insert text as text, never as HTML (threat T18).

export function element(id: string): HTMLElement {
  const found = maybe(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** An element that a template may have left out. */
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
  { text = '', className = '', children = [text] }: Making = {},
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

/** Tells screen readers. */
export function announce(text: string): void {
  maybe('said')?.replaceChildren(text);
}

/** Changes the text of elements with a function. */
export function onText(elements: Iterable<Element>, change: (text: string) => string): void {
  for (const place of elements) {
    const before = place.textContent;
    const after = change(before);
    if (after !== before) place.textContent = after;
  }
}
