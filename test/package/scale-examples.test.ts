import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { listen } from '../consume/scene.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { PROGRAM } from '../run.js';
import { needTools } from '../tools.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

// The examples run as somebody who copies them runs them, against a store in this process.

let store: SmallStore;

beforeEach(async () => {
  store = await startSmallStore();
  put('1.0');
  return async () => await store.stop();
});

function put(version: string): void {
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
    store.objects.set(`dist/${name}-${version}.tar.gz`, { bytes: sdist(name, version), headers: {} });
}

const text = (name: string) => readFileSync(resolve('examples/scale', name), 'utf8');
/** The last line of a comment that merges the parts. */
const mergeIn = (file: string) => /packsign merge [^\n]*/.exec(text(file))?.[0] ?? '';

/** A machine that has packsign and the login of the store. */
function machine(): Place {
  const place = newPlace();
  place.remove('dist');
  mkdirSync(place.path('bin'));
  symlinkSync(PROGRAM, place.path('bin/packsign'));
  return place;
}

interface Ended {
  readonly status: number | null;
  readonly printed: string;
}

async function sh(place: Place, line: string, more: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const login = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: store.url };
  const home = { HOME: place.path('home'), PATH: `${place.path('bin')}:${process.env['PATH'] ?? ''}` };
  const child = spawn('sh', ['-e', '-c', line], {
    ...{ cwd: place.root, env: { ...home, ...more, ...login } },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const status = await new Promise<number | null>((done) => child.on('close', done));
  return { status, printed };
}

async function good(...args: Parameters<typeof sh>): Promise<string> {
  const { status, printed } = await sh(...args);
  expect(status, `${args[1]}\n${printed}`).toBe(0);
  return printed;
}

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: {
    readonly hash: {
      readonly strategy: { readonly matrix: { readonly part: readonly number[] } };
      readonly steps: readonly Step[];
    };
    readonly sign: { readonly needs: string; readonly steps: readonly Step[] };
  };
}

/** Runs the workflow on fresh runners, which pass artifacts on. */
async function runWorkflow(key: string, address: string): Promise<string> {
  const { env, jobs } = parse(text('github.yml')) as Workflow;
  const artifacts = new Map<string, Buffer>();
  const given = { ...env, BUCKET: 's3://bucket/dist', ADDRESS: address };
  const shell = ({ run = '', env: own = {} }: Step, part: number) => ({
    line: run.replaceAll('${{ matrix.part }}', String(part)),
    env: { ...given, ...('PACKSIGN_KEY' in own ? { PACKSIGN_KEY: key } : {}) },
  });
  const runs = (steps: readonly Step[]) =>
    steps.filter(({ run }) => run?.startsWith('npm install') === false);
  for (const part of jobs.hash.strategy.matrix.part) {
    const runner = machine();
    for (const step of runs(jobs.hash.steps)) {
      const { line, env: own } = shell(step, part);
      await good(runner, line, own);
    }
    const { name = '', path = '' } = jobs.hash.steps.at(-1)?.with ?? {};
    const named = (word: string) => word.replaceAll('${{ matrix.part }}', String(part));
    artifacts.set(named(name), runner.read(named(path)));
  }
  const runner = machine();
  const pattern = jobs.sign.steps.find(({ uses }) => uses?.startsWith('actions/download-artifact@'))?.with?.[
    'pattern'
  ];
  for (const [name, bytes] of artifacts)
    if (name.startsWith((pattern ?? '?').replace('*', ''))) runner.write(`${name}.json`, bytes);
  expect(jobs.sign.needs).toBe('hash');
  let printed = '';
  for (const step of runs(jobs.sign.steps)) {
    const { line, env: own } = shell(step, 0);
    printed = await good(runner, line, own);
  }
  return printed;
}

test('github.yml signs a bucket, and then continues what it signed', { timeout: 120_000 }, async () => {
  const { signing } = await newKey('Ann');
  const address = await listen((request, response) => {
    const found = store.objects.get(`dist${request.url?.split('?')[0] ?? ''}`);
    response.writeHead(found === undefined ? 404 : 200).end(found?.bytes);
  });
  expect(await runWorkflow(signing, address)).toContain('6 files from 4 parts\n');
  put('2.0');
  const printed = await runWorkflow(signing, address);
  expect(printed).toMatch(/^12 files from 4 parts\n(?: {2}\+ \S+\n){6}signed and published/m);
});

test('parallel.sh hashes in four processes and merges; without a part it merges nothing', async (context) => {
  needTools(context, 'parallel');
  const place = machine();
  place.write('ann.asc', (await newKey('Ann')).signing);
  place.write('parallel.sh', text('parallel.sh'));
  mkdirSync(place.path('own'));
  const command = 'sh parallel.sh s3://bucket/dist own --key ann.asc';
  store.meddle = ({ key }) => (key === 'dist/c-1.0.tar.gz' ? { status: 403, code: 'AccessDenied' } : null);
  expect((await sh(place, command)).status).not.toBe(0);
  expect(place.has('own/packages.plist')).toBe(false);
  store.meddle = () => null;
  expect(await good(place, command)).toContain('6 files from 4 parts\n');
  expect(store.objects.has('dist/packages.plist')).toBe(true);
});

test('slurm.sh hashes one part in each task of the array', async () => {
  const place = machine();
  place.write('slurm.sh', text('slurm.sh'));
  mkdirSync(place.path('own'));
  for (const task of ['1', '2', '3'])
    await good(place, 'sh slurm.sh s3://bucket/dist', {
      SLURM_ARRAY_TASK_ID: task,
      SLURM_ARRAY_TASK_COUNT: '3',
    });
  expect(await good(place, mergeIn('slurm.sh'))).toContain('6 files from 3 parts\n');
});

interface Job {
  readonly spec: {
    readonly completionMode: string;
    readonly completions: number;
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          {
            readonly command: readonly [string, string, string];
            readonly env: readonly [{ readonly name: string }];
            readonly volumeMounts: readonly [{ readonly name: string; readonly mountPath: string }];
          },
        ];
        readonly volumes: readonly [{ readonly name: string }];
      };
    };
  };
}

test('kubernetes.yml hashes one part in each pod of the job', async () => {
  const { spec } = parse(text('kubernetes.yml')) as Job;
  const { containers, volumes } = spec.template.spec;
  const [{ command, env, volumeMounts }] = containers;
  expect([spec.completionMode, command[0], command[1], env[0].name]).toEqual([
    'Indexed',
    'sh',
    '-c',
    'BUCKET',
  ]);
  expect([volumeMounts[0].name, volumeMounts[0].mountPath]).toEqual([volumes[0].name, '/parts']);
  expect(command[2]).toContain(`/${spec.completions}"`);
  const place = machine();
  for (const folder of ['own', 'parts']) mkdirSync(place.path(folder));
  // Three pods in the place of a hundred.
  const line = command[2].replace(`/${spec.completions}"`, '/3"').replace('"/parts/', '"parts/');
  for (const index of ['0', '1', '2'])
    await good(place, line, { BUCKET: 's3://bucket/dist', JOB_COMPLETION_INDEX: index });
  expect(await good(place, mergeIn('kubernetes.yml'))).toContain('6 files from 3 parts\n');
});
