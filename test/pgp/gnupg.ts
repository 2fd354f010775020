import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasTools } from '../tools.js';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A GnuPG home of its own, and a folder for files beside it. */
export interface Home {
  readonly folder: string;
  readonly gpg: (args: readonly string[], input?: Uint8Array) => Outcome;
  /** The same, and the test ends where it fails. */
  readonly must: (args: readonly string[], input?: Uint8Array) => Buffer;
  readonly write: (name: string, bytes: Uint8Array) => string;
  /** It forgets passphrases, and is started again when it is needed. */
  readonly killAgent: () => void;
  readonly remove: () => void;
}

/** Whether GnuPG can make keys and sign: Debian can install gpg without its agent. */
export function hasGnupg(): boolean {
  return hasTools('gpg', 'gpg-agent', 'gpgconf');
}

export function run(program: string, args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Outcome {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input });
  if (error !== undefined) throw error;
  return { status, stdout, stderr: stderr.toString() };
}

export function gnupgHome(): Home {
  // Sockets have short names: the folder stands right under the temporary one.
  const folder = mkdtempSync(join(tmpdir(), 'pp-'));
  const gpg = (args: readonly string[], input?: Uint8Array): Outcome =>
    run('gpg', ['--homedir', folder, '--batch', '--no-tty', '--pinentry-mode', 'loopback', ...args], input);
  return {
    folder,
    gpg,
    must: (args, input) => {
      const { status, stdout, stderr } = gpg(args, input);
      if (status !== 0) throw new Error(`gpg ${args.join(' ')}: ${stderr}`);
      return stdout;
    },
    write: (name, bytes) => {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return path;
    },
    killAgent: () => {
      run('gpgconf', ['--homedir', folder, '--kill', 'gpg-agent']);
    },
    remove: () => {
      // Not run(), because there may be no GnuPG: some tests only use the folder.
      spawnSync('gpgconf', ['--homedir', folder, '--kill', 'all']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
