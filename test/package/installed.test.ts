import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
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

test('npm installs it with one command from a repository, and it signs', (context) => {
  const place = newPlace();
  const source = place.path('source');
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: '.' });
  if (listed.status !== 0) skip(context, 'this is no checkout of git');
  for (const path of listed.stdout.split('\0').filter((name) => name !== ''))
    cpSync(path, join(source, path));
  const author = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', '-c', 'commit.gpgsign=false'];
  for (const args of [
    ['init', '--quiet'],
    ['add', '--all'],
    [...author, 'commit', '--quiet', '-m', 'all'],
  ]) {
    const { status, said } = run('git', args, { cwd: source });
    expect(status, said).toBe(0);
  }
  const env = {
    ...{ PATH: process.env['PATH'], HOME: place.path('home'), TMPDIR: process.env['TMPDIR'] },
    ...{ npm_config_cache: run('npm', ['config', 'get', 'cache'], { cwd: '.' }).stdout.trim() },
    ...{ npm_config_offline: 'true', npm_config_update_notifier: 'false' },
  };
  const address = `git+file://${source}`;
  const install = `file=$(npm pack --silent ${address}) && npm install --global --prefix prefix "$file"`;
  const installed = run('bash', ['-c', install], { cwd: place.root, env });
  if (installed.said.includes('ENOTCACHED'))
    skip(context, 'npm has not every package in its cache, which npm ci fills');
  expect(installed.status, installed.said).toBe(0);
  place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
  const packsign = (...args: readonly string[]) =>
    run(place.path('prefix/bin/packsign'), args, { cwd: place.root, env });
  const made = packsign('key', 'generate', '--user-id', 'Ann <ann@example.org>', '--no-passphrase');
  expect(made.status, made.said).toBe(0);
  const built = packsign('build', 'dist', '--key', 'packsign-key.signing.asc');
  expect(built.status, built.said).toBe(0);
});
