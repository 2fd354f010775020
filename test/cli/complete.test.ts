import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { serve } from '../consume/scene.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import { hasTool, hasTools } from '../tools.js';

const place = newPlace();
/** Names that run something or break the line where a shell or a script of it is careless. */
const HOSTILE = [
  '$(touch${IFS}pwned)',
  '`touch${IFS}pwned`',
  `a'b"c`,
  ';touch${IFS}pwned',
  '--yes',
  '*',
  '!!',
  '\\x',
];
let url: string;

beforeAll(async () => {
  const names = ['lantern', ...HOSTILE];
  names.forEach((_, index) => {
    place.write(`dist/file${index}-1.${index}.tar.gz`, sdist('lantern', `1.${index}`));
  });
  const overrides = names.map((name, index) => [`file${index}-1.${index}.tar.gz`, { Name: name }] as const);
  place.write('dist/packsign.json', JSON.stringify({ Packages: Object.fromEntries(overrides) }));
  place.write('key.asc', (await newKey('Ann')).signing);
  const built = await place.packsign(['build', 'dist', '--key', 'key.asc']);
  expect(built.status, built.stderr).toBe(0);
  ({ url } = await serve(place.path('dist')));
  const added = await place.packsign(['trust', 'add', url, '--keys', 'dist/keys.asc', '--name', 'ours']);
  expect(added.status, added.stderr).toBe(0);
  mkdirSync(place.path('bin'));
  symlinkSync(resolve('dist/bin/packsign.js'), place.path('bin/packsign'));
  chmodSync(resolve('dist/bin/packsign.js'), 0o755);
  mkdirSync(place.path('my dist'));
  place.write('notes.txt', '');
});

/** The words that packsign offers for the last of these, without their meanings, behind the kind of files. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { status, stdout, stderr } = await place.packsign(['--complete', ...words]);
  expect([status, stderr]).toEqual([0, '']);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/\t.*/, ''));
}

describe('what packsign offers', () => {
  test.each<readonly [readonly string[], readonly string[]]>([
    [['bui'], ['none', 'build']],
    [
      ['key', 'r'],
      ['none', 'rotate', 'revoke'],
    ],
    [
      ['build', '--ke'],
      ['none', '--key'],
    ],
    [['build', '--ded'], ['none']],
    [
      ['build', '--det'],
      ['none', '--deterministic'],
    ],
    [
      ['build', '--no-s'],
      ['none', '--no-sign'],
    ],
    [
      ['build', '--sign', '--sig'],
      ['none', '--signer-timeout', '--signers'],
    ],
    [
      ['build', '--absent', ''],
      ['none', 'ask', 'withdraw', 'keep'],
    ],
    [
      ['export', '--format=j'],
      ['none', '--format=json'],
    ],
    [
      ['export', '--format', 'sha'],
      ['none', 'sha256sums'],
    ],
    [['build', ''], ['folders']],
    [['build', 'dist', ''], ['none']],
    [['build', '--key', ''], ['keys']],
    [['build', '--key=x'], ['keys']],
    [['key', 'show', ''], ['keys']],
    [
      ['completion', ''],
      ['none', 'bash', 'zsh', 'fish'],
    ],
    [
      ['list', 'ou'],
      ['files', 'ours'],
    ],
    [
      ['trust', 'remove', ''],
      ['none', 'ours'],
    ],
    [
      ['get', '--from', 'o'],
      ['none', 'ours'],
    ],
    [
      ['get', 'lan'],
      ['none', 'lantern'],
    ],
    [['get', '--from', 'others', 'lan'], ['none']],
    [
      ['get', '--from', 'ours', 'lantern=='],
      ['none', 'lantern==1.0'],
    ],
    [['verify', '--', '--ke'], ['files']],
    [['nonsense', ''], ['none']],
    [[], ['none', 'init']],
  ])('for %j', async (words, wanted) => {
    expect((await offered(...words)).slice(0, wanted.length)).toEqual(wanted);
    if (words.length > 0) expect(await offered(...words)).toHaveLength(wanted.length);
  });

  test('has the options of --help, and the rarer ones once one is begun', async () => {
    expect(await offered('build', '--')).toEqual(expect.arrayContaining(['--key', '--no-color', '--help']));
    expect(await offered('build', '--')).not.toContain('--deterministic');
  });

  test('is addresses where an address is typed', async () => {
    expect((await offered('list', 'http'))[1]).toContain(url.replace(/\/$/, ''));
  });

  test('holds no name that would be an option', async () => {
    const names = await offered('get', '');
    expect(names).toContain(HOSTILE[0]);
    expect(names).not.toContain('--yes');
  });

  test('is never an error, and asks no server, and writes nothing', async () => {
    const before = place.snapshot('.');
    await offered('get', '');
    await offered('list', '');
    expect(place.snapshot('.')).toEqual(before);
    const damaged = newPlace();
    mkdirSync(damaged.path('config/packsign'), { recursive: true });
    writeFileSync(damaged.path('config/packsign/trust.json'), '{ "no');
    for (const env of [
      { XDG_CONFIG_HOME: damaged.path('config') },
      { HOME: '/nowhere', XDG_CONFIG_HOME: '' },
    ]) {
      const { status, stdout, stderr } = await damaged.packsign(['--complete', 'list', ''], { env });
      expect([status, stdout, stderr]).toEqual([0, 'files\n', '']);
    }
  });

  test('comes only from copies that are what was verified', async () => {
    const { value } = await place.json(['trust', 'list']);
    const sha256 = /[0-9a-f]{64}/.exec(JSON.stringify(value))?.[0] ?? '';
    const file = `home/.cache/packsign/databases/${sha256}.plist`;
    const whole = place.text(file);
    place.write(file, whole.replaceAll('<string>lantern<', '<string>lastern<'));
    expect(await offered('get', 'la')).toEqual(['none']);
    place.write(file, whole);
    expect(await offered('get', 'la')).toEqual(['none', 'lantern']);
  });
});

test('a package that is not there is answered with the one most like it', async () => {
  const { status, stderr } = await place.packsign(['get', 'lantren']);
  expect([status, stderr]).toEqual([
    2,
    expect.stringContaining('there is no package lantren; did you mean "lantern"?'),
  ]);
});

test.each([
  ['list oors', 'there is no file or directory oors; did you mean the trusted database ours?'],
  ['verify oors', 'there is no file or directory oors; did you mean the trusted database ours?'],
  ['list lantern-1.0.tar.gz', 'there is no file or directory lantern-1.0.tar.gz\n'],
  ['get lantern --from Our', 'no trusted database is called Our; did you mean ours?'],
  ['trust remove urs', 'no trusted database is called urs; did you mean ours?'],
  ['trust refresh uors', 'no trusted database is called uors; did you mean ours?'],
  ['trust accept uors', 'no trusted database is called uors; did you mean ours?'],
  ['trust export ourss', 'no trusted database is called ourss; did you mean ours?'],
  ['trust remove theirs', 'no trusted database is called theirs\n'],
  ['trust remove $', 'no trusted database is called $\n'],
])('%s is answered with the trusted name most like it, if one is', async (line, error) => {
  const { status, stderr } = await place.packsign(line.split(' '));
  expect([status, stderr]).toEqual([2, expect.stringContaining(`packsign: error: ${error}`)]);
});

test('a trusted address that is mistyped is answered with the right one', async () => {
  const { status, stderr } = await place.packsign(['trust', 'remove', `${url}packages.plst`]);
  expect([status, stderr]).toEqual([2, expect.stringContaining(`; did you mean ${url}packages.plist?`)]);
});

test('a shell that packsign does not know is named with those that it knows', async () => {
  const { status, stderr } = await place.packsign(['completion', 'bsh']);
  expect(status).toBe(2);
  expect(stderr).toContain(
    'no completion for bsh, only for bash, zsh and fish\npacksign: hint: packsign completion bash',
  );
  expect((await place.packsign(['completion'])).stderr).toContain('missing <shell>: bash, zsh or fish');
});

/** Runs a script in a shell that finds the program, and its completion in $script. */
function inShell(shell: string, kind: string, script: string): string {
  const file = resolve(`templates/completion/packsign.${kind}`);
  const run = spawnSync(shell, ['-c', script], {
    cwd: place.root,
    encoding: 'utf8',
    env: {
      ...{ HOME: place.path('home'), XDG_STATE_HOME: place.path('state'), TERM: 'dumb', script: file },
      PATH: [place.path('bin'), process.env['PATH']].join(delimiter),
    },
  });
  expect(run.stderr).toBe('');
  return run.stdout;
}

/** Lines as typed, with the words that bash splits them into, and what is offered. */
const IN_BASH: readonly (readonly [words: readonly string[], wanted: string])[] = [
  [['bui'], '[build]'],
  [['export', '--format', '=', 'js'], '[json]'],
  [['export', '--format=', ''], '[sha256sums][json]'],
  [['get', 'lantern', '==', '1'], '[1.0]'],
  [['build', 'my\\ d'], '[my dist]'],
  [['build', '"my d'], '[my dist]'],
  [['build', '--key', 'k'], '[key.asc]'],
  [['build', '--key', 'no'], '[notes.txt]'],
  [['build', '"$(touch pwned)'], '[]'],
  [['get', '\\$'], '[\\$\\(touch\\$\\{IFS\\}pwned\\)]'],
  [['get', "'$"], '[]'],
  [['list', 'ou'], '[ours]'],
];

test.runIf(hasTool('bash'))('bash completes', () => {
  const tries = IN_BASH.map(([words]) => {
    // = and what follows are joined in the line; a word that ends with it is split as bash does.
    const split = words.flatMap((word) => (/^--.*=$/.test(word) ? [word.slice(0, -1), '='] : [word]));
    const line = ['packsign', ...words].join(' ').replace(/ ?(=+) ?/g, '$1');
    const quoted = split.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    return `try '${line.replaceAll("'", `'\\''`)}' packsign ${quoted}`;
  });
  const said = inShell(
    'bash',
    'bash',
    `source "$script"
     complete -p packsign
     try() {
       COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=("\${@:2}") COMP_CWORD=$(($# - 2))
       _packsign; printf '[%s]' "\${COMPREPLY[@]}"; echo
     }
     ${tries.join('\n')}`,
  );
  expect(said.split('\n')).toEqual([
    'complete -F _packsign packsign',
    ...IN_BASH.map(([, wanted]) => wanted),
    '',
  ]);
  expect(place.has('pwned')).toBe(false);
});

test.runIf(hasTool('fish'))('fish completes', () => {
  const lines = [
    'bui',
    'export --format=j',
    'build --key k',
    'build --key=k',
    'get lan',
    'get lantern==',
    'build my',
  ];
  const tries = lines.map((line) => `complete -C 'packsign ${line}' | string replace -r '\\t.*' ''`);
  expect(inShell('fish', 'fish', `source $script\n${tries.join('\n')}`).split('\n')).toEqual([
    'build',
    '--format=json',
    'key.asc',
    '--key=key.asc',
    'lantern',
    'lantern==1.0',
    'my dist/',
    '',
  ]);
  const all = inShell('fish', 'fish', `source $script\ncomplete -C 'packsign get '`).split('\n');
  expect(all).toEqual(expect.arrayContaining([HOSTILE[0], 'lantern']));
  expect(place.has('pwned')).toBe(false);
});

/** Types a line in an interactive shell, and lets it print the words of the completed line. */
function typedIn(command: string, setup: string, typed: string): string {
  rmSync(place.path('out'), { force: true });
  const script = `zmodload zsh/zpty
    zpty -b p ${command}
    zpty -w p ${setup}
    zpty -w -n p $'${typed}'
    for i in {1..600}; do zpty -r -t p x >/dev/null 2>&1; [[ -s out ]] && break; sleep 0.1; done
    zpty -d p`;
  inShell('zsh', command.startsWith('bash') ? 'bash' : 'zsh', script);
  // Readline leaves the slash behind a folder, zsh takes it away again.
  return place.has('out') ? place.text('out').replace('/]', ']') : '';
}

const ZSH =
  '\'autoload -Uz compinit; compinit -D -u; source $script; print() { printf "[%s]" "$@" > out; }\'';
const BASH = '\'unset HISTFILE; source $script; print() { printf "[%s]" "$@" > out; }\'';

describe.runIf(hasTools('zsh', 'bash'))('at a terminal', () => {
  test.each([
    ['packsign bui', '[packsign][build]'],
    ['packsign export --format=j', '[packsign][export][--format=json]'],
    ['packsign build --key k', '[packsign][build][--key][key.asc]'],
    ['packsign build my', '[packsign][build][my dist]'],
    ['packsign get lantern==', '[packsign][get][lantern==1.0]'],
    ['packsign get \\\\$', '[packsign][get][$(touch${IFS}pwned)]'],
    ['packsign get \\\\;', '[packsign][get][;touch${IFS}pwned]'],
    ['packsign get a', `[packsign][get][a'b"c]`],
  ])('%s', (line, wanted) => {
    const keys = `${line}\\t\\x01print \\n`;
    expect(typedIn('zsh -f -i', ZSH, keys)).toBe(wanted);
    expect(typedIn('bash --norc --noprofile -i', BASH, keys)).toBe(wanted);
    expect(place.has('pwned')).toBe(false);
  });
});
