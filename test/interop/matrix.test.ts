import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeCertificates, readCertificates } from '../../src/pgp/certificates.js';
import { gnupgHome, hasGnupg, run } from '../pgp/gnupg.js';
import type { Home } from '../pgp/gnupg.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { hasTool, hasTools, needTools, skip } from '../tools.js';
import type { Program } from '../tools.js';

/**
 * How the programs that people already have verify a published directory, as docs/TRUST.md states. Each cell is the
 * exit status of the command that TRUST.md gives for the program.
 */

const ALGORITHMS = ['ed25519', 'rsa3072', 'rsa4096', 'nistp256'] as const;
const CASES = [...ALGORITHMS, 'altered', 'expired', 'retired', 'compromised', 'superseded subkey'] as const;
type Case = (typeof CASES)[number];

interface Files {
  readonly folder: string;
  readonly keys: string;
  readonly ring: string;
  readonly signature: string;
  readonly data: string;
}

const VERIFIERS = {
  gpg: ({ keys, signature, data }) => {
    const home = gnupgHome();
    try {
      home.must(['--import', keys]);
      return home.gpg(['--verify', signature, data]).status;
    } finally {
      home.remove();
    }
  },
  gpgv: ({ folder, ring, signature, data }) =>
    run('gpgv', ['--homedir', folder, '--keyring', ring, signature, data]).status,
  sq: ({ keys, signature, data }) =>
    run('sq', ['verify', '--signer-cert', keys, '--detached', signature, data]).status,
  sqv: ({ keys, signature, data }) => run('sqv', ['--keyring', keys, signature, data]).status,
  rnp: ({ keys, signature, data }) =>
    run('rnp', ['--keyfile', keys, '--verify', signature, '--source', data]).status,
  gosop: ({ keys, signature, data }) => sop('gosop', { keys, signature, data }),
  sqop: ({ keys, signature, data }) => sop('sqop', { keys, signature, data }),
} satisfies Partial<Record<Program, (files: Files) => number | null>>;
type Verifier = keyof typeof VERIFIERS;
const NAMES = Object.keys(VERIFIERS) as Verifier[];

function sop(
  program: string,
  { keys, signature, data }: Pick<Files, 'keys' | 'signature' | 'data'>,
): number | null {
  return run('sh', ['-c', `exec ${program} verify "$1" "$2" < "$3"`, 'sh', signature, keys, data]).status;
}

/** The beginning of a case's row in docs/TRUST.md. */
const ROWS: Readonly<Record<Exclude<Case, (typeof ALGORITHMS)[number]>, string>> = {
  altered: 'the database was altered',
  expired: 'the key expired',
  retired: 'the key was retired',
  compromised: 'the key was stolen',
  'superseded subkey': 'the subkey was superseded',
};

interface Stated {
  /** Program and version, as in the text. */
  readonly versions: string;
  readonly cell: (name: Case, program: string) => number;
}

/** The table of exit statuses in docs/TRUST.md. */
function statedIn(text: string): Stated {
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.replaceAll('*', '').trim()));
  const header = rows.find((cells) => cells.includes('gpg') && cells.includes('packsign')) ?? [];
  return {
    versions: /\(gpg 2[^)]*\)/.exec(text)?.[0] ?? '',
    cell: (name, program) => {
      const label =
        name in ROWS ? ROWS[name as keyof typeof ROWS] : 'Ed25519, RSA 3072, RSA 4096, NIST P-256';
      const row = rows.find(([, first]) => first?.startsWith(label) === true) ?? [];
      return Number.parseInt(row[header.indexOf(program)] ?? '', 10);
    },
  };
}

function isVersionStated(program: Verifier, versions: string): boolean {
  // gpgv has the version of gpg, and no number of its own in the text.
  const stated = new RegExp(`[( ]${program === 'gpgv' ? 'gpg' : program} ([0-9.]*[0-9])`).exec(versions)?.[1];
  const { stdout, stderr } = run(program, [['gosop', 'sqop'].includes(program) ? 'version' : '--version']);
  return stated !== undefined && (stdout.toString() + stderr).includes(stated);
}

const DAY_MS = 86_400_000;
const ago = (days: number) => Math.floor((Date.now() - days * DAY_MS) / 1000);

describe.runIf(hasGnupg())('verifiers that people already have', () => {
  const installed = NAMES.filter((name) => hasTool(name));
  const scenes = new Map<Case, Files>();
  const answers = new Map<string, number | null>();
  let home: Home;

  beforeAll(async () => {
    home = gnupgHome();
    for (const name of CASES) scenes.set(name, await sceneOf(name));
    for (const [name, files] of scenes) {
      for (const program of installed) answers.set(`${program} ${name}`, VERIFIERS[program](files));
      answers.set(`packsign ${name}`, await packsignOn(files));
    }
    printTable();
  }, 300_000);

  afterAll(() => {
    home.remove();
  });

  async function packsignOn(files: Files): Promise<number | null> {
    return (await place(files).json(['verify', 'dist', '--keys', 'dist/keys.asc'])).status;
  }

  const places = new Map<string, Place>();
  function place({ folder }: Files): Place {
    return places.get(folder) ?? newPlace();
  }

  /** A directory that packsign published with a key that gpg made and holds. */
  async function sceneOf(name: Case): Promise<Files> {
    const wanted = (ALGORITHMS as readonly string[]).includes(name) ? name : 'ed25519';
    const algorithm = wanted === 'nistp256' ? 'nistp256/ecdsa' : wanted;
    const fingerprint = generate(`${name} <x@example.org>`, algorithm);
    const where = newPlace();
    where.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    const env = { GNUPGHOME: home.folder, SOURCE_DATE_EPOCH: String(ago(30)) };
    const build = await where.packsign(['build', 'dist', '--key', fingerprint, '--validity', '500 days'], {
      env,
    });
    if (build.status !== 0) {
      const shorter = await where.packsign(['build', 'dist', '--key', fingerprint, '--validity', '5 days'], {
        env,
      });
      expect([shorter.status, shorter.stderr]).toEqual([0, '']);
    }
    await change(name, fingerprint);
    const fresh = await readCertificates(home.must(['--export', fingerprint]));
    const { armored, binary } = encodeCertificates(fresh);
    where.write('dist/keys.asc', armored);
    where.write('dist/keys.gpg', binary);
    if (name === 'altered') where.write('dist/packages.plist', `${where.text('dist/packages.plist')} `);
    const folder = where.path('dist');
    places.set(folder, where);
    return {
      folder,
      keys: join(folder, 'keys.asc'),
      ring: join(folder, 'keys.gpg'),
      signature: join(folder, 'packages.plist.asc'),
      data: join(folder, 'packages.plist'),
    };
  }

  function generate(userId: string, algorithm: string): string {
    const past = (days: number) => ['--faked-system-time', String(ago(days)), '--passphrase', ''];
    const usage = userId.startsWith('expired') ? '20d' : '2y';
    home.must([...past(40), '--quick-generate-key', userId, algorithm, 'cert', usage]);
    const listing = home.must(['--with-colons', '-k', `=${userId}`]).toString();
    const fingerprint = /^fpr:+([0-9A-F]{40})/m.exec(listing)?.[1] ?? '';
    // On a slow machine the key may be a second younger, and gpg adds nothing to a key of the future.
    home.must([...past(39), '--quick-add-key', fingerprint, algorithm, 'sign', usage]);
    return fingerprint;
  }

  /** What happens to the key 10 days ago, after it has signed. */
  async function change(name: Case, fingerprint: string): Promise<void> {
    const reasons: Readonly<Record<string, readonly [string, string]>> = {
      retired: ['retired', ''],
      compromised: ['compromised', ''],
      'superseded subkey': ['superseded', 'subkey'],
    };
    const reason = reasons[name];
    if (reason === undefined) return;
    const work = newPlace();
    const exported = home.must(['--passphrase', '', '--armor', '--export-secret-keys', fingerprint]);
    work.write('key.asc', exported);
    const [, second] = fingerprints(fingerprint);
    const more = reason[1] === '' ? [] : ['--subkey', second ?? ''];
    const env = { SOURCE_DATE_EPOCH: String(ago(10)) };
    const revoke = ['key', 'revoke', 'key.asc', '--reason', reason[0], ...more];
    const made = await work.packsign(revoke, { env });
    expect([made.status, made.stderr]).toEqual([0, '']);
    copyFileSync(work.path('key.pub.asc'), join(home.folder, 'revoked.asc'));
    home.must(['--import', join(home.folder, 'revoked.asc')]);
  }

  function fingerprints(fingerprint: string): string[] {
    const listing = home.must(['--with-colons', '--with-subkey-fingerprint', '-k', fingerprint]).toString();
    return Array.from(listing.matchAll(/^fpr:+([0-9A-F]{40})/gm), ([, found = '']) => found);
  }

  function printTable(): void {
    const programs = [...installed, 'packsign'];
    const widths = programs.map((program) => Math.max(program.length, 3));
    const row = (first: string, cells: readonly string[]) =>
      `| ${first.padEnd(17)} | ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 3)).join(' | ')} |`;
    const lines = CASES.map((name) =>
      row(
        name,
        programs.map((program) => String(answers.get(`${program} ${name}`))),
      ),
    );
    console.log([row('exit status', programs), ...lines].join('\n'));
  }

  test.for([...NAMES, 'packsign'] as const)(
    '%s accepts a database signed with each algorithm, and no altered one',
    (program, context) => {
      if (program !== 'packsign') needTools(context, program);
      for (const algorithm of ALGORITHMS)
        expect([algorithm, answers.get(`${program} ${algorithm}`)]).toEqual([algorithm, 0]);
      expect(answers.get(`${program} altered`)).not.toBe(0);
    },
  );

  test.for([...NAMES, 'packsign'] as const)('docs/TRUST.md states the answers of %s', (program, context) => {
    const stated = statedIn(readFileSync('docs/TRUST.md', 'utf8'));
    if (program !== 'packsign') {
      needTools(context, program);
      if (!isVersionStated(program, stated.versions))
        skip(context, `docs/TRUST.md speaks of another version of ${program}`);
    }
    const found = CASES.map((name) => [name, answers.get(`${program} ${name}`)]);
    expect(found).toEqual(CASES.map((name) => [name, stated.cell(name, program)]));
  });

  test('packsign refuses a stolen key, calls an expired one stale, and accepts what was signed before', () => {
    const by = (name: Case) => answers.get(`packsign ${name}`);
    expect([by('compromised'), by('expired'), by('retired'), by('superseded subkey')]).toEqual([1, 1, 0, 0]);
  });

  test.runIf(hasTools('gpg', 'gpgv'))(
    'gpg and gpgv exit with 0 for a stolen and for an expired key, as docs/TRUST.md warns',
    () => {
      for (const program of ['gpg', 'gpgv']) {
        expect([answers.get(`${program} expired`), answers.get(`${program} compromised`)]).toEqual([0, 0]);
      }
    },
  );
});
