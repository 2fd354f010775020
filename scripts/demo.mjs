// npm run demo: the whole life of a signed directory, made from scratch in demo/, and checked by other programs too.
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ROOT, compile, installIfNeeded } from './tools.mjs';

const DEMO = join(ROOT, 'demo');
/** Packages that are installed here, with and without a scope. */
const NPM_PACKAGES = [
  ...Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies),
  ...['@eslint/js', '@types/node'],
];

/** Name, version, version of its metadata, and further fields of that version. */
const SDISTS = [
  ['lantern', '0.9', '1.0', 'Summary: Reads the lamp\nHome-page: https://example.org/lantern\n'],
  [
    'harbour-pilot',
    '2.4.1',
    '2.1',
    'Summary: Guides ships\nRequires-Python: >=3.8\n\nThe long description.\n',
  ],
  ['tide_tables', '1!3.0rc2', '2.4', 'Summary: Höhe der Flut\nLicense-Expression: MIT\n'],
];

const problems = [];
const environment = {
  PATH: process.env.PATH,
  LANG: 'C.UTF-8',
  NO_COLOR: '1',
  npm_config_update_notifier: 'false',
  npm_config_offline: 'true',
};

/** Runs a command in demo/ and shows it as a person would type it, its output indented. */
function show(line, { expected = [0], env = {} } = {}) {
  console.log(`\n$ ${line}`);
  const [program, ...args] = words(line);
  const [file, before] =
    program === 'packsign' ? [process.execPath, [join(ROOT, 'dist/bin/packsign.js')]] : [program, []];
  const result = spawnSync(file, [...before, ...args], {
    cwd: DEMO,
    env: { ...environment, ...env },
    encoding: 'utf8',
    shell: process.platform === 'win32' && program === 'npm',
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  for (const text of output.trimEnd().split('\n')) console.log(`    ${text}`.trimEnd());
  const isExpected = expected === 'failure' ? result.status !== 0 : expected.includes(result.status);
  if (result.status !== 0) console.log(`    (exit status ${result.status ?? result.signal})`);
  if (!isExpected) problem(`\`${line}\` ended with ${result.status ?? result.signal}`);
  return output;
}

/** Words of a line; double quotes keep spaces together. */
function words(line) {
  return Array.from(line.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain);
}

function problem(text) {
  problems.push(text);
  console.log(`    not as expected: ${text}`);
}

function expectIn(output, text, what) {
  if (!output.includes(text)) problem(`${what}: there is no "${text}"`);
}

function title(text) {
  console.log(`\n# ${text}`);
}

function isInstalled(program) {
  return spawnSync(program, ['--version'], { env: environment, stdio: 'ignore' }).status === 0;
}

function makeFolders() {
  rmSync(DEMO, { recursive: true, force: true });
  for (const folder of ['dist/python', 'home']) mkdirSync(join(DEMO, folder), { recursive: true });
  mkdirSync(join(DEMO, 'gnupg'), { mode: 0o700 });
  environment.HOME = join(DEMO, 'home');
  environment.GNUPGHOME = join(DEMO, 'gnupg');
  for (const [name, folder] of Object.entries({
    CONFIG: 'config',
    DATA: 'data',
    STATE: 'state',
    CACHE: 'cache',
  }))
    environment[`XDG_${name}_HOME`] = join(DEMO, 'home', folder);
}

function writeSdist([name, version, metadataVersion, rest]) {
  const top = `${name}-${version.replace('!', '_')}`;
  const pkgInfo = `Metadata-Version: ${metadataVersion}\nName: ${name}\nVersion: ${version}\n${rest}`;
  const files = { 'PKG-INFO': pkgInfo, 'setup.py': `from setuptools import setup\nsetup(name="${name}")\n` };
  const blocks = Object.entries(files).flatMap(([file, text]) =>
    tarMember(`${top}/${file}`, Buffer.from(text)),
  );
  const archive = gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
  writeFileSync(join(DEMO, 'dist/python', `${name}-${version}.tar.gz`), archive);
}

/** One file of a ustar archive: its header, and its bytes padded to whole blocks. */
function tarMember(path, bytes) {
  const header = Buffer.alloc(512);
  const put = (text, at) => header.write(text, at, 'latin1');
  const octal = (number, digits) => number.toString(8).padStart(digits, '0');
  put(path, 0);
  put(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100);
  put(`${octal(bytes.length, 11)}\0${octal(1_700_000_000, 11)}\0        0`, 124);
  put('ustar\u000000', 257);
  put(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
}

/** Checks a directory with gpg, gpgv, sq and sqv; skips each program that is not installed. */
function otherPrograms(directory) {
  const [database, signature] = [`${directory}/packages.plist`, `${directory}/packages.plist.asc`];
  const [armored, binary] = [`${directory}/keys.asc`, `./${directory}/keys.gpg`];
  const sqHelp = spawnSync('sq', ['verify', '--help'], { env: environment, encoding: 'utf8' }).stdout ?? '';
  // sq has renamed these options over time.
  const signer = sqHelp.includes('--signer-file') ? '--signer-file' : '--signer-cert';
  const detached = sqHelp.includes('--signature-file') ? '--signature-file' : '--detached';
  return [
    ['gpg', `gpg --batch --status-file gpg-status --verify ${signature} ${database}`],
    ['gpgv', `gpgv --keyring ${binary} ${signature} ${database}`],
    ['sq', `sq verify ${signer} ${armored} ${detached} ${signature} ${database}`],
    ['sqv', `sqv --keyring ${armored} ${signature} ${database}`],
  ].filter(([program]) => isInstalled(program));
}

function gpgStatus() {
  const lines = readFileSync(join(DEMO, 'gpg-status'), 'latin1').split('\n');
  return lines.find((line) => line.startsWith('[GNUPG:] VALIDSIG ')) ?? '';
}

function tellTale() {
  title('Archives: what npm has just installed, packed again, and three Python source distributions');
  const folders = NPM_PACKAGES.map((name) => `../node_modules/${name}`).join(' ');
  show(`npm pack --silent --ignore-scripts --pack-destination dist ${folders}`);
  SDISTS.forEach(writeSdist);
  const archives = readdirSync(join(DEMO, 'dist'), { recursive: true }).filter((name) => /gz$/.test(name));
  if (archives.length !== NPM_PACKAGES.length + SDISTS.length)
    problem(`${archives.length} archives were made`);

  title('A key, and the settings of the directory');
  const made = show('packsign key generate --user-id "Demo Maintainer <demo@example.org>" --no-passphrase');
  const fingerprint = (/(?:[0-9A-F]{4} *){10}/.exec(made)?.[0] ?? '').replaceAll(' ', '');
  show(
    'packsign init dist --maintainer "Demo Maintainer <demo@example.org>" --description "Packages of the demo" --base-url https://packages.example.org/ --key ../packsign-key.signing.asc',
  );

  title('Build, look, sign');
  show('packsign build dist');
  show('packsign diff dist');
  show('packsign sign dist');
  expectIn(show('packsign build dist'), 'is up to date', 'a second build');

  title('Verify, as somebody who has the fingerprint from another place');
  const verdict = show(`packsign verify dist --fingerprint ${fingerprint}`);
  expectIn(verdict, 'authentic', 'packsign verify');
  const agreeing = ['packsign'];
  for (const [program, line] of otherPrograms('dist')) {
    if (program === 'gpg') show('gpg --batch --import dist/keys.asc');
    show(line);
    // The exit status of gpg is not enough; the last word of VALIDSIG is the primary key.
    if (program === 'gpg') expectIn(gpgStatus(), ` ${fingerprint}`, 'VALIDSIG of gpg');
    agreeing.push(program);
  }
  const missing = ['gpg', 'gpgv', 'sq', 'sqv'].filter((program) => !agreeing.includes(program));
  if (problems.length === 0) console.log(`\nauthentic: demo/dist, say ${agreeing.join(', ')}`);
  if (missing.length > 0) console.log(`not asked, because not installed: ${missing.join(', ')}`);

  title('An archive with one byte added');
  copyDirectory('tampered');
  const victim = join(DEMO, 'tampered/python/lantern-0.9.tar.gz');
  writeFileSync(victim, Buffer.concat([readFileSync(victim), Buffer.from('!')]));
  const altered = show(`packsign verify tampered --fingerprint ${fingerprint}`, { expected: [1] });
  expectIn(altered, 'altered: python/lantern-0.9.tar.gz', 'the tampered archive');

  title('A database in which somebody changed one hash');
  copyDirectory('edited');
  const database = join(DEMO, 'edited/packages.plist');
  const text = readFileSync(database, 'utf8');
  writeFileSync(database, text.replace(/(<key>SHA256<\/key>\s*<string>)[0-9a-f]{8}/, '$100000000'));
  const edited = show(`packsign verify edited --fingerprint ${fingerprint}`, { expected: [1] });
  expectIn(edited, 'refused', 'the edited database');
  for (const [, line] of otherPrograms('edited')) show(line, { expected: 'failure' });

  if (problems.length === 0) {
    console.log('\nrefused: demo/tampered, whose archive is not the one that was signed');
    console.log(`refused: demo/edited, whose database nobody signed, say ${agreeing.join(', ')}`);
  }
}

function copyDirectory(name) {
  cpSync(join(DEMO, 'dist'), join(DEMO, name), { recursive: true, preserveTimestamps: true });
}

installIfNeeded();
if (compile() !== 0) process.exit(1);
makeFolders();
try {
  tellTale();
} finally {
  // Otherwise an agent that gpg may have started would outlive the demo.
  spawnSync('gpgconf', ['--kill', 'all'], { env: environment, stdio: 'ignore' });
}
console.log('\nThe signed directory is demo/dist, its database demo/dist/packages.plist.');
if (problems.length > 0) {
  console.log(`not as expected:\n${problems.map((text) => `  ${text}`).join('\n')}`);
  process.exitCode = 1;
}
