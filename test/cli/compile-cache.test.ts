import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as module from 'node:module';
import { resolve } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { keepCompiledCode } from '../../src/cli/compile-cache.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';

let place: Place;
let folder: string;

beforeEach(() => {
  place = newPlace();
  folder = place.path('cache/packsign/compiled');
});

/** The folders in which Node is told to cache compiled code. */
function enabled(variables: Readonly<Record<string, string>> = {}): readonly string[] {
  const folders: string[] = [];
  const environment = { HOME: place.path('home'), XDG_CACHE_HOME: place.path('cache'), ...variables };
  keepCompiledCode(environment, (path) => folders.push(path));
  return folders;
}

const onUnix = test.skipIf(process.platform === 'win32');

describe('packsign caches compiled code', () => {
  onUnix('in a folder that only its user can open', () => {
    expect(enabled()).toEqual([folder]);
    expect(lstatSync(folder).mode & 0o777).toBe(0o700);
    expect(enabled()).toEqual([folder]);
  });

  onUnix.each([0o777, 0o770, 0o702, 0o755, 0o710])('not in a folder that others can use: mode %o', (mode) => {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, mode);
    expect(enabled()).toEqual([]);
  });

  onUnix('not behind a link', () => {
    mkdirSync(place.path('elsewhere'), { mode: 0o700 });
    mkdirSync(place.path('cache/packsign'), { recursive: true });
    symlinkSync(place.path('elsewhere'), folder);
    expect(enabled()).toEqual([]);
  });

  test.runIf(process.getuid?.() === 0)('not in a folder of another user, since sudo may keep HOME', () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chownSync(folder, 1000, 1000);
    expect(enabled()).toEqual([]);
  });

  onUnix('not if it cannot make the folder, and then it does not fail', () => {
    writeFileSync(place.path('file'), '');
    expect(enabled({ XDG_CACHE_HOME: place.path('file') })).toEqual([]);
  });

  onUnix('not if the user turned it off, or named another folder to Node', () => {
    expect(enabled({ NODE_DISABLE_COMPILE_CACHE: '1' })).toEqual([]);
    expect(enabled({ NODE_COMPILE_CACHE: place.path('elsewhere') })).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });
});

test('the program caches code if Node can, and otherwise makes no folder', () => {
  const run = () =>
    spawnSync(process.execPath, [resolve('dist/bin/packsign.js'), '--version'], {
      env: { HOME: place.path('home'), XDG_CACHE_HOME: place.path('cache') },
    });
  expect([run().status, run().status]).toEqual([0, 0]);
  const kept = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : null;
  if ('enableCompileCache' in module) expect(kept?.length).toBeGreaterThan(1);
  else expect(kept).toBeNull();
});
