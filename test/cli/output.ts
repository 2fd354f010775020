import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { namedIn, wordsOf } from '../../src/cli/command.js';
import { COMMANDS } from '../../src/cli/commands/all.js';

// What commands print with --json, held against the schemas that packsign installs.

export type Schema = Readonly<Record<string, unknown>>;

// It is loaded while a run may have another current folder.
const FOLDER = fileURLToPath(new URL('../../templates/output', import.meta.url));
export const SCHEMAS: ReadonlyMap<string, Schema> = new Map(
  readdirSync(FOLDER).map((name) => [
    name.replace('.schema.json', ''),
    JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Schema,
  ]),
);

/** Every schema within a schema, with its place and the name of the property that it is of. */
export function* partsOf(part: unknown, place: string, property?: string): Generator<Part> {
  if (typeof part !== 'object' || part === null) return;
  if (!Array.isArray(part)) yield { part: part as Schema, place, property };
  for (const [key, value] of Object.entries(part)) {
    if (key !== 'properties') yield* partsOf(value, `${place}/${key}`);
    else
      for (const [name, own] of Object.entries(value as Schema))
        yield* partsOf(own, `${place}/${name}`, name);
  }
}

interface Part {
  readonly part: Schema;
  readonly place: string;
  readonly property: string | undefined;
}

/** The places of all properties, and of those that had a value in some answer of this test file. */
export const properties = new Set<string>();
export const seen = new Set<string>();
/** The schemas that answers were held against. */
export const used = new Set<string>();

// Quick to compile, for the few answers of most test files; output.test.ts holds the schemas themselves against theirs.
const quick = { validateSchema: false, inlineRefs: false, code: { optimize: false } } as const;
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, ...quick });
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
ajv.addKeyword({
  keyword: 'place',
  validate: (place: string, value: unknown) => {
    if (value !== null) seen.add(place);
    return true;
  },
});
for (const [name, schema] of SCHEMAS) {
  const watched = structuredClone(schema);
  for (const { part, place, property } of partsOf(watched, name)) {
    if (property === undefined || part['type'] === 'null') continue;
    properties.add(place);
    Object.assign(part, { place });
  }
  ajv.addSchema(watched);
}

/** The schema for the answers of a command; null if the arguments name none. */
function schemaFor(args: readonly string[]): string | null {
  const command = namedIn(args, COMMANDS);
  return command === null ? null : wordsOf(command).join('-');
}

/** Fails unless each line is as its schema says. */
export function expectDescribed(args: readonly string[], lines: readonly string[]): void {
  for (const line of lines) {
    const answer = JSON.parse(line) as Record<string, unknown>;
    const name = Object.keys(answer).join() === 'error' ? 'error' : schemaFor(args);
    if (name === null) continue;
    used.add(name);
    const isDescribed = ajv.validate(`${name}.schema.json`, answer);
    expect(isDescribed, `${args.join(' ')}: ${line}\n${JSON.stringify(ajv.errors)}`).toBe(true);
  }
}
