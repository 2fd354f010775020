import {
  PacksignError,
  build,
  importPackMan,
  nameKeys,
  once,
  openCertificates,
  openSigners,
} from '../../index.js';
import type { Imported, InMemoryOptions, SignAndPublishOptions, Signer } from '../../index.js';
import type { Command, Report } from '../command.js';
import { inPlace } from '../bucket.js';
import { BUILD_OPTIONS } from '../option-tables.js';
import {
  DIRECTORY,
  isSet,
  keysOf,
  listOf,
  nowFor,
  predecessorOf,
  signerTimeoutOf,
  textOf,
} from '../options.js';
import type { Place, Values } from '../options.js';
import { destinationsOf, publishEach, publishOptions } from '../destinations.js';
import type { Circumstances } from '../destinations.js';
import { joined, reportPublished } from '../report-publish.js';
import { reportBuild, warningLines } from '../report.js';
import { writingRun } from '../run.js';
import { passphraseSource } from '../secrets.js';
import { buildShard } from '../shard.js';
import { harmless, shown } from '../terminal.js';

const REASON_LIMIT = 1024;

export const buildCommand: Command = {
  examples: [
    ['packsign build dist --key key.asc', 'hash all files, sign dist/packages.plist'],
    ['packsign build dist', 'the same unsigned, for packsign diff dist'],
    ['packsign build dist --sign', 'sign with PACKSIGN_KEY or packsign.json'],
    ['packsign build dist --check', 'exit 1 if something would change'],
  ],
  positionals: DIRECTORY,
  options: BUILD_OPTIONS,
  run: async (values, session) =>
    (await buildShard(values, session)) ??
    (await inPlace(values, session, async (typed) => {
      const imported = await importFor(values, typed);
      const place = imported === null ? typed : { ...typed, settings: imported.settings };
      const { directory } = place;
      const check = isSet(values, 'check');
      const isReleased = mustSign(values, { place, session }) && !check;
      const destinations = [
        ...(place.objects !== undefined && isReleased ? [place.objects.address] : []),
        ...(isSet(values, 'publish') ? destinationsAfter(values, { place, isReleased }) : []),
      ];
      const signers = once(() => signersFor(values, { place, session }));
      const look = () => signersFor(values, { place, session }, { mayStayLocked: true });
      const options = buildOptions(values, { place, session });
      const result = await build(directory, {
        ...options,
        // An imported database starts a new history, which names the hash of what is published here as its predecessor.
        first: options.first || imported !== null,
        signing: isReleased
          ? async () => (await signers()).map(({ certificate }) => certificate)
          : options.signing,
        check,
        strict: isSet(values, 'strict'),
        allowSecrets: listOf(values, 'allow-secret'),
        allowDamaged: listOf(values, 'allow-damaged'),
        release: isReleased ? { ...publishingOptions(values, place), signers, look } : null,
        nameKeys: () => namesOfKeys(values, { place, session }),
      });
      const warnings = [...(imported?.warnings ?? []), ...result.warnings];
      const verbose = isSet(values, 'verbose');
      const report = reportBuild(
        { ...result, warnings },
        {
          ...{ directory, check, verbose, typed: values },
          keyBy: keysOf(values, { settings: place.settings, outside: session.outside })?.by ?? null,
        },
      );
      if (destinations.length === 0 || !result.ok) return report;
      return await publishedToo(report, destinations, { values, place, session });
    })),
};

/** Publishes what was just signed, and reports both. */
export async function publishedToo(
  report: Report,
  destinations: readonly string[],
  { values, place, session }: Circumstances & { readonly values: Values },
): Promise<Report> {
  const publishing = { ...publishOptions(values, { place, session }), isJustBuilt: true };
  const attempts = await publishEach(place.directory, destinations, publishing);
  return joined(report, reportPublished(attempts, { verbose: isSet(values, 'verbose') }));
}

/** Where the result is published to. Throws USAGE. */
function destinationsAfter(
  values: Values,
  { place, isReleased }: { readonly place: Place; readonly isReleased: boolean },
): readonly string[] {
  if (isReleased) return destinationsOf(values, place);
  throw new PacksignError('USAGE', '--publish sends what is signed, and this build signs nothing', {
    hint: 'packsign build DIRECTORY --key FILE --publish',
  });
}

/** Whether the user asks for a signature: with `--sign`, or by typing a key. Throws NO_KEY. */
function mustSign(values: Values, { place, session: { outside } }: Circumstances): boolean {
  const by = keysOf(values, { settings: place.settings, outside })?.by ?? null;
  const { sign = by === '--key' } = values;
  if (sign !== true || by !== null) return sign === true;
  throw new PacksignError('NO_KEY', 'no key to sign with', {
    hint: 'name one: packsign build DIRECTORY --key FILE; or in PACKSIGN_KEY, or as "Key" in packsign.json',
  });
}

/** Whether a passphrase is right shows only if the key is read, so then the keys have no names. */
function namesOfKeys(
  values: Values,
  { place, session: { outside } }: Circumstances,
): readonly string[] | null {
  const { keys = [] } = keysOf(values, { settings: place.settings, outside }) ?? {};
  const isGiven =
    textOf(values, 'passphrase-file') !== null || outside.environment['PACKSIGN_PASSPHRASE'] !== undefined;
  return keys.length === 0 || isGiven
    ? null
    : nameKeys(keys, { certificates: listOf(values, 'certificate') });
}

async function importFor(values: Values, { directory, settings }: Place): Promise<Imported | null> {
  const file = textOf(values, 'import');
  if (file === null) return null;
  const allowed = allowedChanges(values);
  return await importPackMan(directory, { file, settings, allowed, write: !isSet(values, 'check') });
}

/** `signal` ends a program that signs. */
export async function signersFor(
  values: Values,
  { place: { settings }, session: { outside, progress, notice } }: Circumstances,
  { mayStayLocked = false, signal }: { readonly mayStayLocked?: boolean; readonly signal?: AbortSignal } = {},
): Promise<readonly Signer[]> {
  return await openSigners(keysOf(values, { settings, outside })?.keys ?? [], {
    mayStayLocked,
    ...passphraseSource(outside, textOf(values, 'passphrase-file')),
    certificates: listOf(values, 'certificate'),
    environment: outside.environment,
    timeoutMs: signerTimeoutOf(values),
    ...(signal === undefined ? {} : { signal }),
    onNotice: (line) => {
      progress.rest();
      outside.stderr.write(`${harmless(line)}\n`);
    },
    now: nowFor(outside),
    warn: (warning) => notice(...warningLines([warning])),
  });
}

/** Options for the publication of a signed database. */
export function publishingOptions(
  values: Values,
  { settings }: Place,
): Omit<SignAndPublishOptions, 'signers' | 'run'> {
  return {
    deterministic: isSet(values, 'deterministic'),
    allowSecrets: listOf(values, 'allow-secret'),
    page: settings.Page === true,
    checksums: settings.Checksums === true,
  };
}

export function buildOptions(values: Values, { place, session }: Circumstances): InMemoryOptions {
  const { outside } = session;
  const { settings } = place;
  return {
    settings,
    run: writingRun(values, session, place),
    signing: async () => {
      // Reads certificates and unlocks nothing: a key names the person responsible if nothing else does.
      const { keys = [] } = keysOf(values, { settings, outside }) ?? {};
      const certificates = listOf(values, 'certificate');
      // Only --certificate tells with whose key a command signs.
      const known = certificates.length > 0 ? keys : keys.filter((key) => !key.startsWith('exec:'));
      return await openCertificates(known, { certificates, environment: outside.environment });
    },
    allowed: allowedChanges(values),
    rehash: isSet(values, 'rehash'),
    first: isSet(values, 'first'),
    ...predecessorOf(values),
  };
}

function allowedChanges(values: Values): ReadonlyMap<string, string> {
  const paths = listOf(values, 'allow-changed');
  const reasons = listOf(values, 'reason');
  if (paths.length !== reasons.length || reasons.some((reason) => reason.trim() === '')) {
    const pair = (index: number) =>
      ` --allow-changed ${shown(paths[index] ?? 'PATH')} --reason ${shown(reasons[index] ?? 'TEXT')}`;
    throw new PacksignError('USAGE', 'each --allow-changed needs a --reason', {
      hint: `packsign build DIRECTORY${Array.from({ length: Math.max(paths.length, reasons.length) }, (_, index) => pair(index)).join('')}`,
    });
  }
  // The reason becomes a text of the database, which allows no such characters.
  if (reasons.some((reason) => harmless(reason) !== reason || reason.length > REASON_LIMIT)) {
    const line = `one line of at most ${REASON_LIMIT} characters, without control characters`;
    throw new PacksignError('USAGE', `--reason must be ${line}`);
  }
  return new Map(paths.map((path, index) => [path, reasons[index] ?? '']));
}
