import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { quietly, readBounded, writeHint } from '../disk/files.js';
import { seal, unseal } from '../disk/sealed.js';
import { orElse } from '../model/or-null.js';
import type { Warning } from '../model/finding.js';

/** A file of the folder of working state that only saves time: whatever is wrong with it, it is as if it were not there. */
export interface StateFile<T> {
  readonly name: string;
  /** Named in its first line, to be counted up when the same content would mean something else. */
  readonly kind: string;
  readonly isValid: (value: unknown) => value is T;
}

const LIMIT_BYTES = 64 * 1024 * 1024;

/** Null when there is none, or it is damaged. The seal shows accidents only: anybody who can write there can seal too. */
export function readState<T>(stateFolder: string, { name, kind, isValid }: StateFile<T>): T | null {
  return orElse(() => {
    const bytes = readBounded(join(stateFolder, name), LIMIT_BYTES);
    const sealed = bytes === null ? null : unseal(kind, bytes);
    const value: unknown = sealed === null ? null : JSON.parse(sealed.body.toString());
    return isValid(value) ? value : null;
  }, null);
}

/** If it cannot be written, go on without it: what it is about is published by then. */
export function writeState<T>(stateFolder: string, { name, kind }: StateFile<T>, value: T): void {
  // Without it the next build runs in full.
  quietly(() => {
    writeHint(join(stateFolder, name), seal(kind, Buffer.from(JSON.stringify(value))).bytes);
  });
}

/** One name for many values; maps are told apart by their entries. */
export function hashInputs(values: readonly unknown[]): string {
  const text = JSON.stringify(values, (_key, value: unknown) =>
    value instanceof Map ? Array.from(value) : value,
  );
  return createHash('sha256').update(text).digest('hex');
}

export type Fields = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

export function isWarnings(value: unknown): value is readonly Warning[] {
  const isWarning = (one: unknown) =>
    isRecord(one) &&
    [one['code'], one['message'], one['path'] ?? ''].every((text) => typeof text === 'string');
  return Array.isArray(value) && value.every(isWarning);
}
