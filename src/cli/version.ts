import { readFileSync } from 'node:fs';

/** The version in package.json, which lies three folders above the compiled file. */
export function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const { version: value } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return value;
}
