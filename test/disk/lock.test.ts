import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { removeDurably, writeDurably } from '../../src/disk/files.js';
import { lockStatus, takeLock, withLock } from '../../src/disk/lock.js';
import { readLockFile } from '../../src/disk/lock-file.js';
import { thisProcess } from '../../src/disk/owner.js';
import type { Owner } from '../../src/disk/owner.js';
import { newPlace } from '../packsign.js';
import { lockPlace } from './lock-place.js';

const TOKENS = ['a', 'b', 'c'].map((letter) => letter.repeat(32));
const [TOKEN = '', OTHER = '', THIRD = ''] = TOKENS;
const ELSEWHERE = { namespace: 'pid:[1]' };

let folder: string;
const lock = () => join(folder, 'lock');
const claim = (token: string) => `${lock()}.${token}`;
const take = () => takeLock(lockPlace(folder));
const code = (name: string) => expect.objectContaining({ code: name }) as Error;

beforeEach(() => {
  folder = newPlace().path('state');
  mkdirSync(folder, { recursive: true });
});

afterEach(() => {
  recover();
});

/** Makes the disk refuse a call, as a read-only one does. */
function refuse(
  call: 'unlinkSync' | 'renameSync' | 'openSync' | 'writeSync' | 'lstatSync',
  errno: 'EROFS' | 'ENOSPC' | 'EIO' = 'EROFS',
): void {
  const words = { EROFS: 'read-only file system', ENOSPC: 'no space left on device', EIO: 'i/o error' }[
    errno
  ];
  vi.spyOn(fs, call).mockImplementation(() => {
    throw Object.assign(new Error(`${errno}: ${words}, ${call}`), { code: errno, syscall: call });
  });
  syncBuiltinESMExports();
}

function recover(): void {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
}

/** Puts a lock or claim of another process there. */
function put(path: string, more: Partial<Owner> & { token?: string } = {}, ageMs = 0): void {
  const owner = { ...thisProcess(), since: '2026-11-27T00:00:00.000Z', token: TOKEN, ...more };
  writeFileSync(path, JSON.stringify(owner));
  age(path, ageMs);
}

function age(path: string, ageMs: number): void {
  const seconds = (Date.now() - ageMs) / 1000;
  utimesSync(path, seconds, seconds);
}

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('one process holds the lock', () => {
  test('LOCKED: until it is released', async () => {
    const held = await take();
    await expect(take()).rejects.toThrow(code('LOCKED'));
    held.release();
    expect(readdirSync(folder)).toEqual([]);
    (await take()).release();
  });

  test('the error names the owner, since when, and what to do', async () => {
    put(lock(), { host: 'build-7', pid: process.pid });
    await expect(take()).rejects.toThrow(
      expect.objectContaining({
        message: `packsign with process number ${process.pid} on build-7 has been at work here since 2026-11-27T00:00:00Z`,
        hint: `wait until it is done; if you are sure that it is gone, remove ${lock()}`,
      }),
    );
  });

  test('LOCKED: nobody need remove the lock of an owner that cannot be seen from here', async () => {
    put(lock(), ELSEWHERE);
    await expect(take()).rejects.toThrow(
      expect.objectContaining({
        hint: 'wait until it is done; if it is gone, packsign takes over after a minute',
      }),
    );
  });

  test('another one waits for it', async () => {
    const held = await take();
    const waiting = takeLock(lockPlace(folder, { waitMs: 60_000 }));
    setTimeout(held.release, 100);
    (await waiting).release();
  });

  test('LOCKED: a signal ends the wait', async () => {
    await take();
    const stop = new AbortController();
    const waiting = takeLock(lockPlace(folder, { waitMs: 600_000, signal: stop.signal }));
    setTimeout(() => {
      stop.abort();
    }, 100);
    await expect(waiting).rejects.toThrow(code('LOCKED'));
  });

  test('needs no hard links', async () => {
    vi.spyOn(fs, 'linkSync').mockImplementation(() => {
      throw new Error('EPERM');
    });
    syncBuiltinESMExports();
    put(lock(), ELSEWHERE, 61_000);
    (await take()).release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a lock is believed', () => {
  test.each([
    ['of a living process, whatever its age and host name', { host: 'elsewhere' }, 3_600_000],
    [
      'of another pid namespace with the same host name, while there are signs of life',
      { ...ELSEWHERE, pid: 2 ** 30 },
      50_000,
    ],
    ['of another machine, while there are signs of life', { boot: 'x', host: 'elsewhere' }, 50_000],
  ])('LOCKED: %s', async (_, more, ageMs) => {
    put(lock(), more, ageMs);
    await expect(take()).rejects.toThrow(code('LOCKED'));
  });

  test('LOCKED: its maker may be about to write it', async () => {
    writeFileSync(lock(), '');
    await expect(take()).rejects.toThrow(code('LOCKED'));
  });

  test.each(['{"version":2,"process":"12"}', '5'])(
    'LOCKED: %s may be that of a newer packsign, while there are signs of life',
    async (text) => {
      writeFileSync(lock(), text);
      age(lock(), 50_000);
      await expect(take()).rejects.toThrow(
        expect.objectContaining({
          code: 'LOCKED',
          hint: 'wait until it is done; if it is gone, packsign takes over after a minute',
        }),
      );
      age(lock(), 61_000);
      (await take()).release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test.each([
    ['whose process ended, at once and after a change of the host name', { started: '1', host: 'before' }, 0],
    ['of another boot', { boot: 'x' }, 61_000],
    ['of another namespace that gives no sign of life', ELSEWHERE, 61_000],
    ['of a machine whose clock was a year ahead', ELSEWHERE, -31_536_000_000],
  ])('but not one %s', async (_, more, ageMs) => {
    put(lock(), more, ageMs);
    const held = await take();
    held.check();
    held.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(['', '{"pid":12', '{"'])('but not one whose maker wrote no more than %j', async (text) => {
    writeFileSync(lock(), text);
    age(lock(), 4000);
    (await take()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('its owner gives signs of life while it does nothing else', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const held = await take();
    age(lock(), 61_000);
    vi.advanceTimersByTime(5000);
    expect(Date.now() - fs.statSync(lock()).mtimeMs).toBeLessThan(60_000);
    held.release();
    vi.useRealTimers();
  });

  test.each([
    ['no number', { pid: '1' }],
    ['half a process', { pid: 1.5 }],
    ['every process', { pid: -1 }],
    ['a host with control characters', { host: '\u001b[31m' }],
    ['no boot', { boot: 5 }],
    ['a path for a token', { token: '../../x' }],
    ['no date', { since: 'now' }],
  ])('S13: but not one whose owner is %s', async (_, more) => {
    put(lock(), more as Partial<Owner>, 61_000);
    (await take()).release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('only one takes over', () => {
  beforeEach(() => {
    put(lock(), ELSEWHERE, 61_000);
  });

  test('LOCKED: another one does', async () => {
    put(claim(TOKEN), { token: OTHER });
    await expect(take()).rejects.toThrow(code('LOCKED'));
    expect(readdirSync(folder)).toEqual(['lock', `lock.${TOKEN}`]);
  });

  test('LOCKED: another one has made a claim and not written it', async () => {
    writeFileSync(claim(TOKEN), '');
    await expect(take()).rejects.toThrow(code('LOCKED'));
  });

  test('also after others that died while they did', async () => {
    put(claim(TOKEN), { token: OTHER, pid: await deadPid() });
    put(claim(OTHER), { token: THIRD, ...ELSEWHERE }, 61_000);
    writeFileSync(claim(THIRD), '');
    age(claim(THIRD), 4000);
    const held = await take();
    expect(readdirSync(folder)).toEqual(['lock']);
    held.check();
    held.release();
  });

  test('who comes late, when the takeover is over, gives up', async () => {
    // The claim is free again, but the lock is another one by now.
    let steps = 0;
    const late = takeLock(lockPlace(folder), () => {
      steps += 1;
      if (steps === 3) put(lock(), { token: OTHER });
    });
    await expect(late).rejects.toThrow(code('LOCKED'));
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toMatchObject({ token: OTHER });
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  test('an owner that shows life again meanwhile keeps its lock', async () => {
    let steps = 0;
    const hasty = takeLock(lockPlace(folder), () => {
      steps += 1;
      if (steps === 3) age(lock(), 0);
    });
    await expect(hasty).rejects.toThrow(code('LOCKED'));
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  test('FILE_UNREADABLE: somebody copied the lock to its own claim', async () => {
    put(claim(TOKEN), ELSEWHERE, 61_000);
    await expect(take()).rejects.toThrow(code('FILE_UNREADABLE'));
  });

  test('claims on locks that are gone are swept', async () => {
    put(claim(OTHER), ELSEWHERE);
    writeFileSync(join(folder, '.packsign-0123456789abcdef0123456789.tmp'), '');
    (await take()).release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('LOCK_LOST: the owner was stopped for so long that another one took over', () => {
  /** Works under the lock until another process takes over in the middle. */
  const losing = (work: () => void) =>
    withLock(lockPlace(folder), async () => {
      await Promise.resolve();
      put(lock(), { ...ELSEWHERE, token: OTHER, host: 'build-7', pid: 12 });
      work();
    });

  test.each([
    [
      'replaces no file',
      () => {
        writeDurably(join(folder, 'file'), Buffer.from('mine'));
      },
    ],
    [
      'removes no file',
      () => {
        removeDurably(join(folder, 'file'));
      },
    ],
  ])('it %s, and leaves the other lock alone', async (_, work) => {
    writeFileSync(join(folder, 'file'), 'theirs');
    await expect(losing(work)).rejects.toThrow(
      expect.objectContaining({
        code: 'LOCK_LOST',
        message:
          'packsign with process number 12 on build-7 took over the work here, because this one was stopped for too long',
      }),
    );
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('theirs');
    expect(readdirSync(folder)).toEqual(['file', 'lock']);
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toMatchObject({ token: OTHER });
  });

  test('also if the work went on without the file', async () => {
    const work = () => {
      expect(() => {
        writeDurably(join(folder, 'file'), Buffer.from('mine'));
      }).toThrow(code('LOCK_LOST'));
    };
    await expect(losing(work)).rejects.toThrow(code('LOCK_LOST'));
  });

  test('also if another one is about to take over; then the lock is nobody’s', async () => {
    const held = await take();
    const { token } = JSON.parse(readFileSync(lock(), 'utf8')) as { token: string };
    put(claim(token), { token: OTHER });
    expect(held.check).toThrow(code('LOCK_LOST'));
    fs.unlinkSync(claim(token));
    expect(held.check).toThrow(code('LOCK_LOST'));
    held.release();
    (await take()).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a lock given up while it was claimed has no second claim', async () => {
    const held = await take();
    const { token } = JSON.parse(readFileSync(lock(), 'utf8')) as { token: string };
    put(claim(token), { token: OTHER });
    held.release();
    age(lock(), 61_000);
    await expect(take()).rejects.toThrow(code('LOCKED'));
    expect(readdirSync(folder)).toEqual(['lock', `lock.${token}`]);
  });

  test('nor has one that was claimed before its slow maker wrote it', async () => {
    const { writeSync } = fs;
    let token = '';
    vi.spyOn(fs, 'writeSync').mockImplementationOnce((fd, text) => {
      token = readLockFile(lock())?.token ?? '';
      put(claim(token), { token: OTHER });
      return writeSync(fd, text);
    });
    syncBuiltinESMExports();
    await expect(take()).rejects.toThrow(code('LOCKED'));
    expect(readdirSync(folder)).toEqual(['lock', `lock.${token}`]);
  });

  test('a claim that is claimed in turn is not removed by its owner when it wakes up', async () => {
    put(lock(), ELSEWHERE, 61_000);
    let steps = 0;
    const slow = takeLock(lockPlace(folder), () => {
      steps += 1;
      if (steps !== 5) return;
      const { token } = JSON.parse(readFileSync(claim(TOKEN), 'utf8')) as { token: string };
      put(claim(token), { token: OTHER });
    });
    await expect(slow).rejects.toThrow(code('LOCKED'));
    expect(readdirSync(folder)).toContain(`lock.${TOKEN}`);
    expect(readdirSync(folder)).toHaveLength(3);
  });

  test('FILE_UNWRITABLE: who cannot look whether the lock is claimed writes nothing', async () => {
    const held = await take();
    refuse('lstatSync', 'EIO');
    expect(held.check).toThrow(code('FILE_UNWRITABLE'));
    recover();
    held.check();
    held.release();
  });

  test('a release does not remove a lock that another one is about to replace', async () => {
    const held = await take();
    const { token } = JSON.parse(readFileSync(lock(), 'utf8')) as { token: string };
    put(claim(token), { token: OTHER });
    held.release();
    expect(readdirSync(folder)).toEqual(['lock', `lock.${token}`]);
  });

  test('work under another lock goes on', async () => {
    const other = join(folder, 'other');
    await withLock(lockPlace(other), async () => {
      await expect(
        losing(() => {
          writeDurably(join(folder, 'file'), Buffer.from(''));
        }),
      ).rejects.toThrow();
      writeDurably(join(other, 'file'), Buffer.from('mine'));
    });
    expect(readdirSync(other)).toEqual(['file']);
  });

  test('somebody removed the lock', async () => {
    const held = await take();
    fs.unlinkSync(lock());
    expect(held.check).toThrow(
      expect.objectContaining({ message: expect.stringContaining('somebody removed') as string }),
    );
    held.release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a disk that fails', () => {
  test('a lock that cannot be removed is not an error, and does not block the same process', async () => {
    const held = await take();
    refuse('unlinkSync');
    held.release();
    recover();
    expect(existsSync(lock())).toBe(true);
    const again = await take();
    await expect(take()).rejects.toThrow(code('LOCKED'));
    again.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(['openSync', 'renameSync'] as const)(
    'FILE_UNWRITABLE: %s, where a dead lock is',
    async (call) => {
      put(lock(), ELSEWHERE, 61_000);
      refuse(call);
      await expect(take()).rejects.toThrow(
        expect.objectContaining({
          code: 'FILE_UNWRITABLE',
          message: `cannot write ${lock()}: read-only file system (EROFS)`,
        }),
      );
      recover();
      (await take()).release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test('FILE_UNWRITABLE: a full one, which leaves no empty lock', async () => {
    refuse('writeSync', 'ENOSPC');
    await expect(take()).rejects.toThrow(code('FILE_UNWRITABLE'));
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a full one: the lock is released', async () => {
    const held = await take();
    refuse('writeSync', 'ENOSPC');
    held.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a leftover that cannot be swept does not block the lock', async () => {
    mkdirSync(claim(OTHER));
    mkdirSync(join(folder, '.packsign-0123456789abcdef0123456789.tmp'));
    (await take()).release();
    expect(existsSync(lock())).toBe(false);
  });
});

describe('T35: a file found is not a file made', () => {
  const MAKERS: readonly (readonly [string, (path: string) => void])[] = [
    [
      'a folder',
      (path) => {
        mkdirSync(path);
      },
    ],
    [
      'a pipe',
      (path) => {
        execFileSync('mkfifo', [path]);
      },
    ],
    [
      'a link',
      (path) => {
        symlinkSync(join(folder, 'mine'), path);
      },
    ],
    [
      'larger than any of ours',
      (path) => {
        writeFileSync(path, Buffer.alloc(5000));
      },
    ],
  ];

  test.each(MAKERS)('FILE_UNREADABLE: a lock that is %s, with what to remove', async (_, make) => {
    writeFileSync(join(folder, 'mine'), 'mine');
    make(lock());
    const hint = expect.stringContaining(`remove ${lock()}`) as string;
    await expect(take()).rejects.toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE', hint }));
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine');
  });

  test.each(MAKERS)('FILE_UNREADABLE: a claim that is %s, with what to remove', async (_, make) => {
    writeFileSync(join(folder, 'mine'), 'mine');
    put(lock(), ELSEWHERE, 61_000);
    make(claim(TOKEN));
    const hint = expect.stringContaining(`remove ${claim(TOKEN)}`) as string;
    await expect(take()).rejects.toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE', hint }));
    expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('mine');
  });

  test('FILE_UNREADABLE: the folder of working state is a file', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => lockStatus(join(folder, 'file'), () => new Date())).toThrow(
      expect.objectContaining({
        message: `${join(folder, 'file')} is not a folder`,
        hint: expect.stringContaining(`mv ${join(folder, 'file')} `) as string,
      }),
    );
  });

  test('a link that somebody puts in place of a lock is not written to', async () => {
    const held = await take();
    writeFileSync(join(folder, 'mine'), readFileSync(lock()));
    age(join(folder, 'mine'), 61_000);
    fs.unlinkSync(lock());
    symlinkSync(join(folder, 'mine'), lock());
    expect(held.check).toThrow();
    held.release();
    expect(Date.now() - fs.statSync(join(folder, 'mine')).mtimeMs).toBeGreaterThan(60_000);
  });
});
