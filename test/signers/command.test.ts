import { chmodSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { splitCommand } from '../../src/signers/command.js';
import { codeOf, newKey, newPlace, sdist, transcript } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { needTools } from '../tools.js';

/** A signer as a user may have one: key file in its arguments, bytes in, armored signature out. */
const SIGNER = `
import { readFileSync } from 'node:fs';
import { readSecretKey } from '${pathToFileURL(resolve('dist/src/signers/secret-key.js')).href}';
import { joinSignatures } from '${pathToFileURL(resolve('dist/src/pgp/signatures.js')).href}';
const [, , file, mode = 'armored'] = process.argv;
const bytes = readFileSync(0);
const date = new Date();
const signer = await readSecretKey(readFileSync(file), { passphrase: async () => null, date });
const made = await signer.sign(mode === 'other' ? Buffer.from('x') : bytes, { date, deterministic: false });
const other = await signer.sign(bytes, { date, deterministic: false });
console.error('touch the token\\u001b[2J now');
if (mode === 'twice') process.stdout.write(joinSignatures([made, other]));
else process.stdout.write(mode === 'binary' ? made : joinSignatures([made]));
`;

let ann: TestKey;
let bob: TestKey;

beforeAll(async () => {
  ann = await newKey('Ann');
  bob = await newKey('Bob');
});

function newScene(): Place {
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('sign it.mjs', SIGNER);
  place.write('ann.asc', ann.signing);
  place.write('ann.pub.asc', ann.certificate);
  place.write('bob.asc', bob.signing);
  place.write('bob.pub.asc', bob.certificate);
  return place;
}

const command = (rest: string) => `exec:${process.execPath} 'sign it.mjs' ${rest}`;

async function refusal(
  place: Place,
  key: string,
  more: readonly string[] = ['--certificate', 'ann.pub.asc'],
): Promise<string> {
  const before = place.snapshot();
  const args = ['build', 'dist', '--key', key, ...more];
  const answer = await place.json(args);
  const run = await place.packsign(args);
  expect(place.snapshot()).toEqual(before);
  expect([answer.status, run.stdout]).toEqual([run.status, '']);
  expect(run.stderr).toMatch(/packsign: error: .+\npacksign: hint: .+\n$/);
  return `${String(codeOf(answer))}\n${transcript(run)}`.replaceAll(process.execPath, 'node');
}

describe('exec:', () => {
  test.each(['armored', 'binary'])(
    'accepts a signature that is %s, and shows what the command prints',
    async (mode) => {
      const place = newScene();
      const args = ['build', 'dist', '--key', command(`ann.asc ${mode}`), '--certificate', 'ann.pub.asc'];
      const { value, run } = await place.json(args);
      expect(value['published']).toBe(true);
      expect(run.stderr).toMatch(/^(?:touch the token\\u\{1b\}\[2J now\n)+$/);
      expect((await place.json(['verify', 'dist', '--keys', 'ann.pub.asc'])).value['status']).toBe(
        'authentic',
      );
    },
  );

  test('two commands sign, each with its certificate', async () => {
    const place = newScene();
    const keys = ['--key', command('ann.asc'), '--key', command('bob.asc')];
    const certificates = ['--certificate', 'ann.pub.asc', '--certificate', 'bob.pub.asc'];
    const args = ['build', 'dist', ...keys, ...certificates, '--threshold', '2'];
    expect((await place.json(args)).value['published']).toBe(true);
    expect((await place.json(['verify', 'dist'])).value['status']).toBe('authentic');
  });

  test('PACKSIGN_KEY may name a command, which gets no variable of packsign', async () => {
    const place = newScene();
    const script = `#!/bin/sh\nenv > env.txt\nexec ${process.execPath} 'sign it.mjs' ann.asc\n`;
    chmodSync(place.write('signer', script), 0o755);
    expect((await place.packsign(['build', 'dist', '--maintainer', 'Ann <ann@example.org>'])).status).toBe(0);
    const env = { PACKSIGN_KEY: 'exec:./signer', PACKSIGN_PASSPHRASE: 'secret words', OWN: 'kept' };
    const run = await place.packsign(['sign', 'dist', '--certificate', 'ann.pub.asc'], { env });
    expect([run.status, run.stdout.includes('signed and published')]).toEqual([0, true]);
    const seen = readFileSync(place.path('env.txt'), 'utf8');
    expect(seen).toContain('OWN=kept');
    expect(seen).not.toMatch(/PACKSIGN_|secret words/);
    expect((await place.json(['status', 'dist'], { env })).value['state']).toBe('published');
  });

  test('T26, SETTINGS_INVALID: packsign.json runs no command', async () => {
    const place = newScene();
    place.write('dist/packsign.json', JSON.stringify({ Key: ['exec:touch pwned'] }));
    const run = await place.packsign(['sign', 'dist', '--certificate', 'ann.pub.asc', '--verbose']);
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('(SETTINGS_INVALID)')]);
    expect(place.has('pwned')).toBe(false);
  });

  test('USAGE: no certificate, no command, an open quote', async () => {
    const place = newScene();
    expect(await refusal(place, command('ann.asc'), [])).toMatchInlineSnapshot(`
      "USAGE
      $ packsign build dist --key exec:node 'sign it.mjs' ann.asc
      ! packsign: error: each exec: key needs one --certificate, and no other key takes one
      ! packsign: hint: --key 'exec:COMMAND' --certificate FILE with the certificate of the key that it signs with
      [2]"
    `);
    expect(await refusal(place, 'exec:')).toMatch(/^USAGE\n/);
    expect(await refusal(place, "exec:sign 'it")).toMatch(/^USAGE\n/);
    expect(await refusal(place, 'ann.asc')).toMatch(/^USAGE\n/);
  });

  test('SIGNER_FAILED', async () => {
    const place = newScene();
    const path = place.write('fail', '#!/bin/sh\necho the token is locked >&2\nexit 67\n');
    chmodSync(path, 0o755);
    expect(await refusal(place, 'exec:./fail --pin 1234')).toMatchInlineSnapshot(`
      "SIGNER_FAILED
      $ packsign build dist --key exec:./fail --pin 1234 --certificate ann.pub.asc
      ! the token is locked
      ! packsign: error: ./fail ended with status 67
      ! packsign: hint: nothing was signed; see its output above
      [2]"
    `);
    expect(await refusal(place, 'exec:./ann.asc/x')).toMatch(/^SIGNER_FAILED\n/);
    expect(await refusal(place, 'exec:./nowhere')).toMatchInlineSnapshot(`
      "SIGNER_FAILED
      $ packsign build dist --key exec:./nowhere --certificate ann.pub.asc
      ! packsign: error: there is no program ./nowhere
      ! packsign: hint: nothing was signed; see its output above
      [2]"
    `);
    expect(await refusal(place, 'exec:echo hello')).toMatchInlineSnapshot(`
      "SIGNER_FAILED
      $ packsign build dist --key exec:echo hello --certificate ann.pub.asc
      ! packsign: error: echo did not give exactly one detached signature
      ! packsign: hint: it must write an OpenPGP detached signature of its standard input, and nothing else
      [2]"
    `);
    for (const broken of [
      'exec:true',
      'exec:./sign\\ it.mjs',
      'exec:cat /dev/zero',
      command('ann.asc twice'),
    ]) {
      expect(await refusal(place, broken)).toMatch(/^SIGNER_FAILED\n/);
    }
  });

  test('SELF_CHECK_FAILED: another key, other bytes', async () => {
    const place = newScene();
    expect(await refusal(place, command('bob.asc'))).toMatchInlineSnapshot(`
      "SELF_CHECK_FAILED
      $ packsign build dist --key exec:node 'sign it.mjs' bob.asc --certificate ann.pub.asc
      ! touch the token\\u{1b}[2J now
      ! packsign: error: expected a signature by <fingerprint>, got one by <fingerprint>
      ! packsign: hint: name the key that signs by its full fingerprint
      [1]"
    `);
    expect(await refusal(place, command('ann.asc other'))).toMatch(/^SELF_CHECK_FAILED\n/);
  });

  test('signs, even if the command leaves a process that holds its pipes open', async () => {
    const place = newScene();
    const script = `#!/bin/sh\nsleep 1000 &\necho $! > pid\nexec ${process.execPath} 'sign it.mjs' ann.asc\n`;
    chmodSync(place.write('leaving', script), 0o755);
    const args = ['build', 'dist', '--key', 'exec:./leaving', '--certificate', 'ann.pub.asc'];
    expect((await place.json(args)).value).toMatchObject({ published: true });
    process.kill(Number(place.text('pid')));
  });

  test('SIGNER_TIMED_OUT, even if a child of the command still holds the pipe', async () => {
    const place = newScene();
    const path = place.write('slow', '#!/bin/sh\nsleep 20 &\nwait\n');
    chmodSync(path, 0o755);
    const more = ['--certificate', 'ann.pub.asc', '--signer-timeout', '300ms'];
    expect(await refusal(place, 'exec:./slow', more)).toMatchInlineSnapshot(`
      "SIGNER_TIMED_OUT
      $ packsign build dist --key exec:./slow --certificate ann.pub.asc --signer-timeout 300ms
      ! packsign: error: ./slow did not sign in time
      ! packsign: hint: give it longer with --signer-timeout 10min
      [2]"
    `);
  });

  test('KEY_EXPIRED, KEYS_MALFORMED, NO_KEY: a certificate that does not fit', async () => {
    const place = newScene();
    const old = await newKey('Old', { lifeSeconds: 86_400 });
    place.write('old.pub.asc', old.certificate);
    place.write('two.pub.asc', ann.certificate + bob.certificate);
    expect(await refusal(place, command('ann.asc'), ['--certificate', 'old.pub.asc'])).toMatch(
      /^KEY_EXPIRED\n/,
    );
    expect(
      codeOf(await place.json(['build', 'dist', '--key', 'exec:true', '--certificate', 'two.pub.asc'])),
    ).toBe('KEYS_MALFORMED');
    expect(await refusal(place, 'exec:true', ['--certificate', 'no.asc'])).toMatch(/^NO_KEY\n/);
  });

  test.for(['sqop', 'gosop'] as const)('%s works as such a command', async (sop, context) => {
    needTools(context, sop);
    const place = newScene();
    const args = ['build', 'dist', '--key', `exec:${sop} sign ann.asc`, '--certificate', 'ann.pub.asc'];
    const run = await place.packsign(args);
    expect([run.status, run.stderr]).toEqual([0, '']);
  });
});

describe('splitCommand', () => {
  test.each<readonly [string, readonly string[]]>([
    ['a b  c', ['a', 'b', 'c']],
    ["a 'b c' d", ['a', 'b c', 'd']],
    ['a "b \\"c\\" \\n" d\\ e', ['a', 'b "c" \\n', 'd e']],
    ["a''b 'x'\"y\"z ''", ['ab', 'xyz', '']],
    ['a $HOME `x` ; | >b', ['a', '$HOME', '`x`', ';', '|', '>b']],
  ])('%s', (text, words) => {
    expect(splitCommand(text, undefined, 'linux')).toEqual(words);
  });

  test.each<readonly [string, readonly string[]]>([
    ['C:\\Tools\\sqop.exe sign D:\\keys\\key.asc', ['C:\\Tools\\sqop.exe', 'sign', 'D:\\keys\\key.asc']],
    ['"C:\\Program Files\\sqop.exe" x', ['C:\\Program Files\\sqop.exe', 'x']],
    ["'C:\\Program Files\\sqop.exe' x", ['C:\\Program Files\\sqop.exe', 'x']],
    ['"C:\\dir\\" \\\\host\\share ""', ['C:\\dir\\', '\\\\host\\share', '']],
    ['%HOME% $HOME & x', ['%HOME%', '$HOME', '&', 'x']],
  ])('on Windows, where a backslash stands for itself: %s', (text, words) => {
    expect(splitCommand(text, undefined, 'win32')).toEqual(words);
  });

  test.each(['"C:\\dir', "O'Neil"])('USAGE: an open quote on Windows: %s', (text) => {
    expect(() => splitCommand(text, undefined, 'win32')).toThrow('open quote');
  });
});
