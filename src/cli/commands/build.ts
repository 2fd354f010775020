import { PacksignError, build, importPackMan, once, openCertificates, openSigners } from '../../index.js';
import type { Imported, InMemoryOptions, SignAndPublishOptions, Signer } from '../../index.js';
import type { Command, Session } from '../command.js';
import {
  isCommand,
  isSet,
  keysOf,
  listOf,
  nowFor,
  placeOf,
  repeated,
  signerTimeoutOf,
  single,
  textOf,
  withDirectory,
  withKeys,
  withSettings,
} from '../options.js';
import type { Place, Values } from '../options.js';
import { reportBuild } from '../report.js';
import { writingRun } from '../run.js';
import { passphraseSource } from '../secrets.js';
import { harmless } from '../terminal.js';

export const buildCommand: Command = {
  examples: [
    ['packsign build dist', 'write dist/packages.unsigned.plist, for a look with packsign diff'],
    ['packsign build dist --key key.asc', 'build, sign and publish dist/packages.plist'],
    ['packsign build dist --check', 'exit 1 if something would change'],
    ['packsign build dist --import pimp.plist', 'carry on a database that was made by hand for PackMan'],
  ],
  options: (yargs) =>
    withKeys(withSettings(withBase(withDirectory(yargs))))
      .option('check', {
        type: 'boolean',
        default: false,
        describe: 'write nothing; exit 1 if something would change',
      })
      .option('strict', { type: 'boolean', default: false, describe: 'refuse where there are warnings' })
      .option(
        'import',
        single('take over a database made for PackMan: packsign.json gets its hand-written keys'),
      ),
  run: async (values, session) => {
    const typed = placeOf(values);
    const imported = await importFor(values, typed);
    const place = imported === null ? typed : { ...typed, settings: imported.settings };
    const isReleased = listOf(values, 'key').length > 0 && !isSet(values, 'check');
    const signers = once(() => signersFor(values, { place, session }));
    const options = buildOptions(values, { place, session });
    const result = await build(place.directory, {
      ...options,
      // What is published here is not built upon, and its hash is what the next database names as the one before.
      first: options.first || imported !== null,
      signing: isReleased
        ? async () => (await signers()).map(({ certificate }) => certificate)
        : options.signing,
      check: isSet(values, 'check'),
      strict: isSet(values, 'strict'),
      release: isReleased ? { ...publishingOptions(values, place), signers } : null,
    });
    const warnings = [...(imported?.warnings ?? []), ...result.warnings];
    return reportBuild(
      { ...result, warnings },
      { directory: place.directory, check: isSet(values, 'check') },
    );
  },
};

async function importFor(values: Values, { directory, settings }: Place): Promise<Imported | null> {
  const file = textOf(values, 'import');
  if (file === null) return null;
  return await importPackMan(directory, { file, settings, write: !isSet(values, 'check') });
}

/** Options that say what the next database is built upon. */
export function withBase(yargs: Parameters<Command['options']>[0]): ReturnType<Command['options']> {
  return yargs
    .option('allow-changed', repeated('archive whose bytes may change; one --reason for each'))
    .option('reason', repeated('why they change, for the history'))
    .option('first', {
      type: 'boolean',
      default: false,
      describe: 'begin a history anew, whatever stands here',
    })
    .option('previous', single('file or address of the published packages.plist, where it is not here'))
    .option('rehash', {
      type: 'boolean',
      default: false,
      describe: 'read every file, whatever the cache says',
    });
}

interface Circumstances {
  readonly place: Place;
  readonly session: Session;
}

export async function signersFor(
  values: Values,
  { place, session }: Circumstances,
): Promise<readonly Signer[]> {
  const keys = keysOf(values, { settings: place.settings, outside: session.outside });
  const { outside, progress } = session;
  return await openSigners(keys, {
    ...passphraseSource(outside, textOf(values, 'passphrase-file')),
    certificates: listOf(values, 'certificate'),
    environment: outside.environment,
    timeoutMs: signerTimeoutOf(values),
    onNotice: (line) => {
      progress.rest();
      outside.stderr.write(`${harmless(line)}\n`);
    },
    now: nowFor(outside),
  });
}

/** How what is signed is published. */
export function publishingOptions(
  values: Values,
  { settings }: Place,
): Omit<SignAndPublishOptions, 'signers' | 'run'> {
  return {
    deterministic: isSet(values, 'deterministic'),
    allowRemoved: isSet(values, 'allow-removed'),
    page: settings.Page === true,
  };
}

export function buildOptions(values: Values, { place, session }: Circumstances): InMemoryOptions {
  const { outside } = session;
  const { settings } = place;
  return {
    settings,
    run: writingRun(values, session, { place, doing: 'hashing' }),
    signing: async () => {
      // Without unlocking anything: the key only says who is responsible, while nobody else does.
      const keys = keysOf(values, { settings, outside });
      const certificates = listOf(values, 'certificate');
      // A command does not tell by itself with whose key it signs.
      const telling = certificates.length > 0 ? keys : keys.filter((key) => !isCommand(key));
      return await openCertificates(telling, { certificates, environment: outside.environment });
    },
    allowed: allowedChanges(values),
    rehash: isSet(values, 'rehash'),
    first: isSet(values, 'first'),
    previous: textOf(values, 'previous'),
  };
}

function allowedChanges(values: Values): ReadonlyMap<string, string> {
  const paths = listOf(values, 'allow-changed');
  const reasons = listOf(values, 'reason');
  if (paths.length !== reasons.length || reasons.some((reason) => reason.trim() === '')) {
    throw new PacksignError('USAGE', 'each --allow-changed wants a --reason', {
      hint: 'packsign build DIRECTORY --allow-changed PATH --reason TEXT',
    });
  }
  // It ends in the database, where such characters may not stand.
  if (reasons.some((reason) => harmless(reason) !== reason)) {
    throw new PacksignError('USAGE', '--reason wants one line of text without control characters');
  }
  return new Map(paths.map((path, index) => [path, reasons[index] ?? '']));
}
