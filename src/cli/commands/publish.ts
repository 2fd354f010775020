import { PacksignError, build, once, parseDestination, planPublication, publish } from '../../index.js';
import type { PublishOptions, PublishedTo } from '../../index.js';
import type { Command, Session } from '../command.js';
import {
  flag,
  isSet,
  listOf,
  placeOf,
  secondsOf,
  single,
  textOf,
  withKeys,
  withSettings,
} from '../options.js';
import type { Place, Values } from '../options.js';
import { reportPlans, reportPublished } from '../report-publish.js';
import type { Attempt, Planned } from '../report-publish.js';
import { writingRun } from '../run.js';
import { buildOptions, publishingOptions, signersFor } from './build.js';

export const publishCommand: Command = {
  examples: [
    ['packsign publish dist /mnt/www/dist', 'copy what is signed to another disk or a mounted host'],
    ['packsign publish dist --plan /mnt/www/dist', 'print the steps, and do nothing'],
    ['packsign publish dist --check /mnt/www/dist', 'read everything back, for cron'],
  ],
  options: (yargs) =>
    withKeys(withSettings(yargs))
      .positional('directory', { type: 'string', default: '.', describe: 'the signed directory' })
      .positional('destinations', { type: 'string', array: true, describe: 'a folder' })
      .option('plan', flag('print what would be done, in order; write nothing'))
      .option('check', flag('write nothing; read everything back, exit 1 if anything differs'))
      .option(
        'url',
        single('where readers fetch it (default: Database in packsign.json; none: read it back as written)'),
      )
      .option('delete', flag('remove what was published before and is gone, once it is old'))
      .option('keep-old', single('how long such files stay with --delete', { default: '30d' }))
      .option('with-uncovered', flag('send files that no signature covers too'))
      .option('adopt', flag('join what another machine published there, sign, publish'))
      .option(
        'cache-wait',
        single('how long to wait for caches that have the database of before', { default: '1min' }),
      ),
  run: async (typed, session) => {
    const values = withDirectoryFirst(typed);
    const place = placeOf(values);
    const { directory } = place;
    const destinations = destinationsOf(values, place);
    const options = publishOptions(values, { place, session });
    if (isSet(values, 'plan')) {
      const plans: Planned[] = [];
      for (const destination of destinations) {
        plans.push({ destination, plan: await planPublication(directory, destination, options) });
      }
      return reportPlans(plans);
    }
    const attempts: Attempt[] = [];
    for (const destination of destinations) {
      attempts.push({
        destination,
        outcome: await outcomeOf(() => publish(directory, destination, options)),
      });
    }
    return reportPublished(attempts, { verbose: isSet(values, 'verbose') });
  },
};

/** A single destination that is no folder is published to from here. */
function withDirectoryFirst(values: Values): Values {
  const first = textOf(values, 'directory') ?? '.';
  if (parseDestination(first).kind === 'folder') return values;
  return { ...values, directory: '.', destinations: [first, ...listOf(values, 'destinations')] };
}

function destinationsOf(values: Values, { directory, settings }: Place): readonly string[] {
  const typed = listOf(values, 'destinations');
  const destinations = typed.length > 0 ? typed : (settings.Publish ?? []);
  for (const one of destinations) parseDestination(one);
  if (destinations.length > 0) return destinations;
  throw new PacksignError('USAGE', `nothing says where ${directory} is published to`, {
    hint: 'packsign publish DIRECTORY DESTINATION, or "Publish" in packsign.json',
  });
}

/** An error that the user can do something about does not keep the other destinations waiting. */
async function outcomeOf(work: () => Promise<PublishedTo>): Promise<PublishedTo | PacksignError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

interface Circumstances {
  readonly place: Place;
  readonly session: Session;
}

function publishOptions(values: Values, circumstances: Circumstances): PublishOptions {
  const { place, session } = circumstances;
  const { settings } = place;
  const url = textOf(values, 'url') ?? settings.Database ?? 'none';
  return {
    settings,
    run: writingRun(values, session, { place, doing: 'publishing' }),
    environment: session.outside.environment,
    withUncovered: isSet(values, 'with-uncovered'),
    allowSecrets: listOf(values, 'allow-secret'),
    isJustBuilt: false,
    isCheck: isSet(values, 'check'),
    url: url === 'none' ? null : url,
    keepOldMs: isSet(values, 'delete') ? msOf(values, 'keep-old', '30d') : null,
    patienceMs: msOf(values, 'cache-wait', '1min'),
    adopt: isSet(values, 'adopt') ? adopter(values, circumstances) : null,
  };
}

function msOf(values: Values, name: string, example: string): number {
  const text = textOf(values, name) ?? example;
  return /^0[a-z]*$/.test(text) ? 0 : secondsOf(text, { name, example }) * 1000;
}

/** Builds upon a database that another machine published, and signs. */
function adopter(values: Values, circumstances: Circumstances): (database: string) => Promise<unknown> {
  const { place } = circumstances;
  const signers = once(() => signersFor(values, circumstances));
  return async (database) =>
    await build(place.directory, {
      ...buildOptions(values, circumstances),
      adopt: database,
      signing: async () => (await signers()).map(({ certificate }) => certificate),
      check: false,
      strict: false,
      allowSecrets: listOf(values, 'allow-secret'),
      allowDamaged: [],
      release: { ...publishingOptions(values, place), signers, look: signers },
      nameKeys: () => null,
    });
}
