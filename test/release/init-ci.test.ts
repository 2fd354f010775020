import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { serve } from '../consume/scene.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { PROGRAM } from '../run.js';

/** Commands of a workflow in order, with the variables that each has. */
type Commands = readonly { readonly line: string; readonly env: Readonly<Record<string, string>> }[];

interface GitHub {
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<string, { steps: readonly { run?: string; env?: Readonly<Record<string, string>> }[] }>
  >;
}

interface GitLab {
  readonly packsign: {
    readonly variables: Readonly<Record<string, string>>;
    readonly script: readonly string[];
  };
}

const COMMANDS: Readonly<Record<string, (text: string) => Commands>> = {
  github: (text) => {
    const { env, jobs } = parse(text) as GitHub;
    return Object.values(jobs).flatMap(({ steps }) =>
      steps.flatMap(({ run, env: more }) =>
        run === undefined ? [] : [{ line: run, env: { ...env, ...more } }],
      ),
    );
  },
  gitlab: (text) => {
    const { variables, script } = (parse(text) as GitLab).packsign;
    return script.map((line) => ({ line, env: variables }));
  },
};

const PATHS = { github: '.github/workflows/packsign.yml', gitlab: '.gitlab-ci.yml' } as const;

/** Runs a command as a runner does: with an empty home, and without a terminal. */
async function runLine(place: Place, line: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn('bash', ['-e', '-c', line], {
    cwd: place.root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  }
  const status = await new Promise<number | null>((done) => child.on('close', done));
  expect(status, `${line}\n${printed}`).toBe(0);
  return printed;
}

/** Runs every command of a workflow on a fresh runner with one new file. */
async function release(service: keyof typeof PATHS, version: string, env: Readonly<Record<string, string>>) {
  const runner = newPlace();
  runner.remove('dist');
  runner.write('lantern.tar.gz', sdist('lantern', version));
  runner.write('Makefile', `dist:\n\tmkdir dist\n\tcp lantern.tar.gz dist/lantern-${version}.tar.gz\n`);
  mkdirSync(runner.path('bin'));
  symlinkSync(PROGRAM, runner.path('bin/packsign'));
  await runner.packsign(['init', '--ci', service]);
  const commands = COMMANDS[service]!(runner.text(PATHS[service]));
  const lines = commands.map(({ line }) => line).filter((line) => !line.startsWith('npm install '));
  expect(lines).toHaveLength(commands.length - 1);
  const printed: string[] = [];
  for (const line of lines) {
    const given = commands.find((command) => command.line === line)!.env;
    // What a runner puts in the place of a secret.
    const secrets = Object.entries(given).filter(([, value]) => !value.startsWith('${{'));
    const home = { HOME: runner.path('home'), PATH: `${runner.path('bin')}:${process.env['PATH'] ?? ''}` };
    const isForKey = service === 'gitlab' || 'PACKSIGN_KEY' in given;
    const { PACKSIGN_KEY = '', ...others } = env;
    const key = isForKey ? { PACKSIGN_KEY } : {};
    printed.push(await runLine(runner, line, { ...home, ...Object.fromEntries(secrets), ...others, ...key }));
  }
  return printed;
}

describe.each(['github', 'gitlab'] as const)('init --ci %s', (service) => {
  test('writes a workflow that takes a directory from nothing to published and verified, as often as it runs', async () => {
    const host = newPlace();
    mkdirSync(host.path('www'));
    const { url } = await serve(host.path('www'));
    const key = host.write('key.asc', (await newKey('Ann')).signing);
    const PACKSIGN_KEY = service === 'gitlab' ? key : readFileSync(key, 'utf8');
    const env = { ADDRESS: url, DESTINATION: host.path('www'), PACKSIGN_KEY };
    await release(service, '1.0', env);
    for (const again of [1, 2]) {
      const printed = await release(service, '2.0', env);
      expect(printed.at(-1), String(again)).toMatch(/^authentic .*: 2 of 2 files as signed$/m);
    }
    const { stdout } = await host.packsign(['verify', 'www', '--keys', 'www/keys.asc']);
    expect(stdout).toMatch(/^authentic .*: 2 of 2 files as signed$/m);
  });

  test('has at most ten lines of commands and actions, and installs from the address of the project', async () => {
    const text = readFileSync(`templates/ci/${service}.yml`, 'utf8');
    const steps = text.split('\n').filter((line) => /^ +- /.test(line));
    expect(steps.length).toBeLessThanOrEqual(10);
    const [, lines = ''] = text.split(/^ +(?:steps|script):\n/m);
    expect(lines.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
    const { repository } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      repository: { url: string };
    };
    expect(text).toContain(`npm install --global "$(npm pack --silent ${repository.url})"\n`);
    const place = newPlace();
    expect((await place.packsign(['init', '--ci', service])).status).toBe(0);
    expect(place.text(PATHS[service])).toBe(text);
    const shownIn = service === 'github' ? 'README.md' : 'docs/CI.md';
    expect(readFileSync(shownIn, 'utf8')).toContain(`\`\`\`yaml\n${text}\`\`\`\n`);
  });

  test('takes the directory and the address that are typed, whatever is in them', async () => {
    const place = newPlace();
    const names = ['out put', "it's", '$(id)', 'a"b', '#x', 'y: z'];
    for (const name of names) {
      const { status } = await place.packsign([
        ...['init', name, '--ci', service, '--force', '--base-url', 'https://example.org/$&/$1/'],
      ]);
      expect(status).toBe(0);
      const [{ env }] = COMMANDS[service]!(place.text(PATHS[service])) as [Commands[number]];
      expect(env).toMatchObject({ DIRECTORY: name, ADDRESS: 'https://example.org/$&/$1/' });
    }
  });

  test('replaces no workflow, and refuses what it has no use for', async () => {
    const place = newPlace();
    place.write(PATHS[service], 'mine: true\n');
    const refused = async (...args: string[]) => codeOf(await place.json(['init', '--ci', ...args]));
    expect(await refused(service)).toBe('FILE_EXISTS');
    expect(await refused(service, '--key', 'key.asc')).toBe('USAGE');
    expect(await refused('jenkins')).toBe('USAGE');
    expect(await refused(service, '--force', '--base-url', 'example.org')).toBe('SETTINGS_INVALID');
    expect(place.text(PATHS[service])).toBe('mine: true\n');
    expect(await place.json(['init', '--ci', service, '--force'])).toMatchObject({
      ...{ status: 0, value: { workflow: PATHS[service] } },
    });
    expect(place.text(PATHS[service])).toContain('packsign publish');
  });
});
