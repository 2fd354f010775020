import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import type { Place, Run } from './packsign.js';
import { given } from './tools.js';

/** What Debian's package faketime preloads; null if it is not installed. */
const LIBRARY =
  readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .find(existsSync) ?? null;

export const hasFaketime = given(LIBRARY !== null, 'faketime is not installed');

/** The environment of a process whose clock is off: by `+2d`, or by what a file says, which may change meanwhile. */
export function clockOff(by: string | { readonly file: string }): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: LIBRARY ?? '',
    // Uptime, and the dates of files, stay those of the kernel.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
    ...(typeof by === 'string'
      ? { FAKETIME: by }
      : { FAKETIME_TIMESTAMP_FILE: by.file, FAKETIME_NO_CACHE: '1' }),
  };
}

/** Runs packsign with its clock off. */
export async function withClock(place: Place, by: string, args: readonly string[]): Promise<Run> {
  return await place.process(args, { env: clockOff(by) });
}

export function setClock(file: string, by: string): void {
  writeFileSync(file, `${by}\n`);
}
