import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { newPlace, sdist } from '../packsign.js';
import type { Place, Run } from '../packsign.js';
import { PROGRAM } from '../run.js';
import { startMiddleman } from '../servers/middleman.js';
import type { Middleman } from '../servers/middleman.js';
import { startRedis } from '../servers/redis.js';
import type { RedisServer } from '../servers/redis.js';
import { startSmallStore } from '../upload/s3/small-store.js';
import type { SmallStore } from '../upload/s3/small-store.js';

// A bucket, a queue, a build that asks and workers that answer, each in a process of its own.

/** A program that runs meanwhile. */
export interface Running {
  readonly child: ChildProcess;
  readonly printed: () => string;
  /** Resolves once it has printed that. */
  readonly says: (text: string) => Promise<void>;
  /** Resolves with the exit status; null where a signal has killed it. */
  readonly ended: Promise<number | null>;
}

export interface WorkersScene {
  readonly place: Place;
  readonly store: SmallStore;
  readonly redis: RedisServer;
  readonly middleman: Middleman;
  readonly env: Readonly<Record<string, string>>;
  readonly worker: (...args: readonly string[]) => Promise<Running>;
  /** Starts `packsign build` with the queue. */
  readonly start: (...args: readonly string[]) => Running;
  readonly build: (...args: readonly string[]) => Promise<Run>;
  /** Forgets what builds have left behind. */
  readonly anew: () => Promise<void>;
  /** What a build of the same bucket makes that has no queue. */
  readonly expected: () => Promise<Buffer>;
  readonly end: () => Promise<void>;
}

const SETTINGS = '{ "Maintainer": "Ann <ann@example.org>", "Exclude": ["NOTES"] }';

export async function openWorkersScene(): Promise<WorkersScene> {
  const [place, store, redis] = [newPlace(), await startSmallStore(), await startRedis()];
  const middleman = await startMiddleman(Number(new URL(store.url).port));
  place.write('state/packsign.json', SETTINGS);
  const running = new Set<ChildProcess>();
  const env = {
    ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL_S3: middleman.url },
    ...{ PATH: process.env['PATH'] ?? '', HOME: place.path('home'), XDG_STATE_HOME: place.path('xdg') },
    SOURCE_DATE_EPOCH: String(Math.floor(Date.now() / 1000)),
  };
  const run = (args: readonly string[]): Running => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: place.root, env });
    running.add(child);
    const text: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => text.push(bytes));
    const printed = () => Buffer.concat(text).toString();
    const ended = once(child, 'close').then(([status]) => status as number | null);
    const says = async (wanted: string) => {
      for (let isOver = false; !printed().includes(wanted);) {
        if (isOver) throw new Error(`it never says ${wanted}:\n${printed()}`);
        isOver = await Promise.race([ended.then(() => true), sleep(20, false)]);
      }
    };
    return { child, printed, says, ended };
  };
  const start = (...args: readonly string[]) => {
    return run(['build', 's3://bucket/dist', '--state', 'state', '--queue', redis.url, ...args]);
  };
  return {
    ...{ place, store, redis, middleman, env, start },
    worker: async (...args) => {
      const worker = run(['worker', '--queue', redis.url, ...args]);
      await worker.says('working on the queue');
      return worker;
    },
    build: async (...args) => {
      const words = ['build', 's3://bucket/dist', '--state', 'state', '--queue', redis.url];
      return await place.packsign([...words, ...args], { env });
    },
    anew: async () => {
      place.remove('state');
      place.write('state/packsign.json', SETTINGS);
      const admin = new Redis(redis.port);
      await admin.flushall();
      admin.disconnect();
    },
    expected: async () => {
      place.write('alone/packsign.json', SETTINGS);
      const args = ['build', 's3://bucket/dist', '--state', 'alone'];
      const { status, stderr } = await place.packsign(args, { env });
      if (status !== 0 || stderr !== '') throw new Error(stderr);
      return place.read('alone/packages.unsigned.plist');
    },
    end: async () => {
      for (const child of running) child.kill('SIGKILL');
      await middleman.stop();
      await store.stop();
      await redis.end();
    },
  };
}

/** Packages, programs and large files, all different. */
export function fill(store: SmallStore, count: number): void {
  const put = (path: string, bytes: Buffer) => store.objects.set(`dist/${path}`, { bytes, headers: {} });
  for (let number = 0; number < count; number += 1) {
    put(`p${number % 3}/pkg${number}-1.0.tar.gz`, sdist(`pkg${number}`, '1.0'));
  }
  put('big-1.0-linux-amd64.gz', gzipSync(randomBytes(3_000_000), { level: 1 }));
  put('tool', Buffer.from('#!/bin/sh\necho tool\n'));
  put('NOTES', Buffer.from('no program'));
}

/** The paths of the files that were read from their beginning to their end, as often as they were. */
export function readFiles({ asked }: SmallStore): readonly string[] {
  return asked
    .filter(({ method, key, query, headers }) => {
      const isBegin = headers.range === undefined || headers.range.startsWith('bytes=0-');
      return method === 'GET' && key.includes('.gz') && query.size === 0 && isBegin;
    })
    .map(({ key }) => key);
}
