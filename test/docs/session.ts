import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { serve } from '../consume/scene.js';
import { emptyZip, newPlace, sdist } from '../packsign.js';
import { PROGRAM } from '../run.js';

/** The home of the documents, and the address from which people download what `www/` holds. */
const HOME = '/home/you';
const ADDRESS = 'https://example.org/';

/** One shell, in which the commands of a document run one after the other, as in a terminal. */
export interface Session {
  /** Runs a command. Its output is as in the document: with the home and the address of the document. */
  readonly run: (command: string) => Promise<{ readonly output: string; readonly status: number }>;
  readonly end: () => Promise<void>;
}

/**
 * Starts a shell in an empty home with `dist/`, a release of mixed files, and `next/`, the release after it. `www/` is
 * served at the address of the documents. `more` are further files of `dist/`.
 */
export async function newSession(more: Readonly<Record<string, string | Uint8Array>> = {}): Promise<Session> {
  const place = newPlace();
  for (const version of ['1.2.0', '1.3.0']) {
    const folder = version === '1.2.0' ? 'dist' : 'next';
    place.write(`${folder}/lantern-${version}.tar.gz`, sdist('lantern', version));
    place.write(`${folder}/lantern-${version}-windows-amd64.zip`, emptyZip(version));
    place.write(`${folder}/lantern-${version}-linux-amd64`, `\x7fELF${version}${'\0'.repeat(60)}`);
  }
  place.write('dist/install.sh', '#!/bin/sh\necho installed\n');
  place.write('dist/NOTES.md', 'What is new\n');
  for (const [name, bytes] of Object.entries(more)) place.write(`dist/${name}`, bytes);
  for (const folder of ['www', 'bin']) mkdirSync(place.path(folder));
  symlinkSync(PROGRAM, place.path('bin/packsign'));
  const { url } = await serve(place.path('www'));
  const { run, end } = shell(place.root);
  return {
    end,
    run: async (command) => {
      const here = command.replaceAll(ADDRESS, url).replaceAll(HOME, place.root);
      const { output, status } = await run(here);
      return { status, output: output.replaceAll(url, ADDRESS).replaceAll(place.root, HOME) };
    },
  };
}

/** Begins what the shell says about the end of a command; no program prints it. */
const MARK = '\x1e';

function shell(home: string): Session {
  const env = {
    ...{ PATH: `${home}/bin:${process.env['PATH'] ?? ''}`, HOME: home, LANG: 'C.UTF-8', TZ: 'UTC' },
    ...{ npm_config_offline: 'true', npm_config_update_notifier: 'false' },
  };
  const child = spawn('bash', [], { cwd: home, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => child.on('close', () => done()));
  // A program that a document leaves running, and the agents of GnuPG.
  const stop = 'kill $(jobs -p) 2> /dev/null; gpgconf --kill all 2> /dev/null';
  child.stdin.write(`exec 2>&1\ntrap '${stop}' EXIT\n`);
  let printed = '';
  let notify = (): void => undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString('latin1');
    notify();
  });
  child.on('close', () => notify());
  return {
    run: async (command) => {
      printed = '';
      child.stdin.write(`{ ${command}\n} < /dev/null; printf '${MARK}%s\\n' $?\n`);
      const pattern = new RegExp(`${MARK}(\\d+)\\n$`);
      while (!pattern.test(printed) && child.exitCode === null) {
        await new Promise<void>((done) => (notify = done));
      }
      const [all = '', status = '-1'] = pattern.exec(printed) ?? [];
      const bytes = printed.slice(0, printed.length - all.length);
      return { status: Number(status), output: Buffer.from(bytes, 'latin1').toString() };
    },
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
