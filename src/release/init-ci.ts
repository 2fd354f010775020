import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createFile } from '../disk/create.js';
import { kindOf, makeFolder, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { checkSettings } from '../format/settings.js';

/** What a workflow is written for: the values that its template has are in the comments. */
export interface WorkflowAnswers {
  /** The folder of the new files: `dist`. */
  readonly directory: string | null;
  /** The address from which people download: `https://example.org/dist/`. */
  readonly baseUrl: string | null;
}

/** Services of continuous integration, and where each looks for its workflow. */
const PATHS = { github: '.github/workflows/packsign.yml', gitlab: '.gitlab-ci.yml' } as const;

export type CiService = keyof typeof PATHS;

export const CI_SERVICES: readonly CiService[] = ['github', 'gitlab'];

/** Three folders above the compiled file. */
const TEMPLATES = new URL('../../../templates/ci/', import.meta.url);

/** Writes a workflow into the current folder, and gives its path. Throws FILE_EXISTS, FILE_UNWRITABLE, SETTINGS_INVALID. */
export function initCi(
  service: CiService,
  { directory, baseUrl }: WorkflowAnswers,
  { force }: { force: boolean },
): string {
  checkSettings(baseUrl === null ? {} : { 'Base-URL': baseUrl }, '--base-url');
  const path = join(...PATHS[service].split('/'));
  if (!force && kindOf(path) !== null) {
    throw new PacksignError('FILE_EXISTS', `${path} exists`, {
      hint: 'add to it by hand what docs/CI.md shows, or overwrite it with --force',
    });
  }
  const template = readFileSync(new URL(`${service}.yml`, TEMPLATES), 'utf8');
  const text = withValue(withValue(template, ['DIRECTORY', directory]), ['ADDRESS', baseUrl]);
  makeFolder(dirname(path));
  if (force) writeDurably(path, Buffer.from(text));
  else createFile(path, Buffer.from(text));
  return path;
}

/** Whatever the value is, JSON's strings are YAML's too. */
function withValue(template: string, [name, value]: readonly [string, string | null]): string {
  if (value === null) return template;
  return template.replace(
    new RegExp(`^( +${name}: )\\S+`, 'm'),
    (_, before: string) => before + JSON.stringify(value),
  );
}
