import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the tests need at most for their files at any one time. */
const ROOM_BYTES = 8 * 1024 ** 3;
const MEMORY = '/dev/shm';

let scratch: string;

/**
 * Compiles once before any test runs: the tests drive what ships. `npm run check` has done so already. All temporary
 * files are in one folder.
 */
export function setup(): void {
  // A short name: sockets of agents have no long ones.
  scratch = mkdtempSync(join(hasRoom(MEMORY) ? MEMORY : tmpdir(), 'test-'));
  // Servers that a test starts do not run as root, and have to reach their files.
  chmodSync(scratch, 0o711);
  process.env['TMPDIR'] = scratch;
  // Each start of Node would read them: no test needs those of this machine.
  delete process.env['NODE_EXTRA_CA_CERTS'];
  if (process.env['PACKSIGN_COMPILED'] === '1') return;
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
}

export function teardown(): void {
  rmSync(scratch, { recursive: true, force: true });
}

/** Whether files there are kept in memory, of which there is enough. The tests write much, and keep nothing. */
function hasRoom(folder: string): boolean {
  try {
    const { type, bavail, bsize } = statfsSync(folder);
    const TMPFS = 0x01021994;
    return type === TMPFS && bavail * bsize >= ROOM_BYTES;
  } catch {
    return false;
  }
}
