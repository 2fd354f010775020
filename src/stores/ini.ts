/** Name of a section → key → value. A nested key is written with its parent: `s3.addressing_style`. */
export type Sections = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Reads a file of the AWS tools. Indented lines below a key without a value are nested; lines that are neither are left
 * out, as those tools do. A later line wins.
 */
export function readIni(text: string): Sections {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let parent = '';
  for (const line of text.replace(/^\ufeff/, '').split(/\r?\n/)) {
    const name = /^\[\s*(.*?)\s*\]/.exec(line)?.[1]?.replace(/\s+/g, ' ').replace(/["']/g, '');
    const [, indent = '', key, value = ''] = /^(\s*)([^\s#;=[][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
    } else if (key !== undefined) {
      if (indent === '') parent = value === '' ? key : '';
      // A comment may follow a value.
      const plain = value.replace(/\s+[#;].*$/, '');
      section.set(indent !== '' && parent !== '' ? `${parent}.${key}` : key, plain);
    }
  }
  return sections;
}
