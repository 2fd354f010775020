import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { newPlace, sdist } from '../packsign.js';
import { skip } from '../tools.js';

/** Runs a program to its end. Gives what it printed in an error message. */
function run(command: string, args: readonly string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1e8,
    ...options,
  });
  return { status, stdout, said: `${command} ${args.join(' ')}\n${stdout}${stderr}` };
}

/** A repository with the files of this one. Only what users need is installed from it, and npm takes what is compiled here. */
function repositoryIn(source: string, files: readonly string[]): void {
  for (const path of files) cpSync(path, join(source, path));
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, unknown>;
  const prepare = `node -e "fs.cpSync(process.env.COMPILED, 'dist', { recursive: true })"`;
  const changed = { ...manifest, scripts: { prepare }, devDependencies: {} };
  writeFileSync(join(source, 'package.json'), JSON.stringify(changed));
  const author = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', '-c', 'commit.gpgsign=false'];
  for (const args of [
    ['init', '--quiet'],
    ['add', '--all'],
    [...author, 'commit', '--quiet', '-m', 'all'],
  ]) {
    const { status, said } = run('git', args, { cwd: source });
    expect(status, said).toBe(0);
  }
}

/** The line of README.md, with another address. */
function lineFor(address: string): string {
  const [line] = /^npm install --global .*$/m.exec(readFileSync('README.md', 'utf8')) ?? [''];
  return line.replace(/git\+https:[^)]*/, address);
}

const UNREACHED = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|CERT/;

// That a fresh clone compiles is what continuous integration tries: it is one.
test('npm installs it with the line of README.md from a repository, and it signs', (context) => {
  const place = newPlace();
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: '.' });
  if (listed.status !== 0) skip(context, 'this is no checkout of git');
  const source = place.path('source');
  repositoryIn(
    source,
    listed.stdout.split('\0').filter((name) => name !== ''),
  );
  const config = (name: string) => run('npm', ['config', 'get', name], { cwd: '.' }).stdout.trim();
  const env = {
    ...{ PATH: process.env['PATH'], HOME: place.path('home'), TMPDIR: process.env['TMPDIR'] },
    ...{ npm_config_cache: config('cache'), npm_config_userconfig: config('userconfig') },
    npm_config_globalconfig: config('globalconfig'),
    ...{ npm_config_prefix: place.path('prefix'), npm_config_update_notifier: 'false' },
    ...{ npm_config_prefer_offline: 'true', npm_config_fetch_retries: '0' },
    COMPILED: resolve('dist'),
  };
  const installed = run('bash', ['-c', lineFor(`git+file://${source}`)], { cwd: place.root, env });
  if (UNREACHED.test(installed.said)) skip(context, 'npm reaches no registry, and its cache lacks packages');
  expect(installed.status, installed.said).toBe(0);
  place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
  const packsign = (...args: readonly string[]) =>
    run(place.path('prefix/bin/packsign'), args, { cwd: place.root, env });
  const made = packsign('key', 'generate', '--user-id', 'Ann <ann@example.org>', '--no-passphrase');
  expect(made.status, made.said).toBe(0);
  const built = packsign('build', 'dist', '--key', 'packsign-key.signing.asc');
  expect(built.status, built.said).toBe(0);
});
