import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ar } from '../archives/packages.js';
import { needTools } from '../tools.js';
import { tarball } from '../packsign.js';
import { blocksOf, stepsOf } from './blocks.js';
import type { Step } from './blocks.js';
import { newSession } from './session.js';

/** The commands of README.md before and in the part for people who have a key of GnuPG, and what that part takes as given. */
function firstSteps(): { readonly given: readonly Step[]; readonly typed: readonly Step[] } {
  const text = readFileSync('README.md', 'utf8');
  const [from, to] = [text.indexOf('Install it with one command'), text.indexOf('## I have no key')];
  const blocks = blocksOf('README.md').filter(({ at }) => at > from && at < to);
  const steps = (isGiven: boolean) =>
    blocks.filter(({ language }) => (language === 'given') === isGiven).flatMap(stepsOf);
  return { given: steps(true), typed: steps(false) };
}

const control = tarball([
  { path: './control', bytes: 'Package: lantern\nVersion: 1.2.0\nArchitecture: all\n' },
]);
const MIXED = {
  'lantern_1.2.0_all.deb': ar(
    { name: 'debian-binary', contents: '2.0\n' },
    { name: 'control.tar.gz', contents: control },
    { name: 'data.tar.gz', contents: tarball([]) },
  ),
  'lantern-1.2.0.exe': `MZ${'\0'.repeat(70)}`,
  'lantern-1.2.0.iso': `${'\0'.repeat(32_768)}\x01CD001\x01\0`,
  'README.txt': 'Read me\n',
};

test('who has a key of GnuPG signs a directory of mixed files with at most five commands of README.md', async (context) => {
  needTools(context, 'gpg');
  const { given, typed } = firstSteps();
  expect(typed.length).toBeGreaterThan(1);
  expect(typed.length).toBeLessThanOrEqual(5);
  const [install, ...rest] = typed.map(({ command }) => command);
  // The test of the installed package runs this one.
  expect(install).toMatch(/^npm install --global /);
  const session = await newSession(MIXED);
  const run = async (command: string) => {
    const { status, output } = await session.run(command);
    expect(status, `${command}${output}`).toBe(0);
    return output;
  };
  try {
    for (const { command } of given) await run(command);
    for (const command of rest) await run(command);
    const verdict = await run(
      'packsign verify dist --fingerprint "$(gpg --list-keys --with-colons | grep -m1 ^fpr: | cut -d: -f10)"',
    );
    expect(verdict).toMatch(
      /^authentic .*: 7 of 7 files as signed; 2 files here are not covered: NOTES.md, README.txt$/m,
    );
    expect(await run('gpg --verify dist/packages.plist.asc dist/packages.plist')).toContain('Good signature');
  } finally {
    await session.end();
  }
});
