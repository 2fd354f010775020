import { join } from 'node:path';
import { PacksignError, build, once, parseDestination, planPublication, storeEndpoint } from '../../index.js';
import type { Command } from '../command.js';
import { refuseNeedless } from '../needless.js';
import { flag, positional, positionals, rare, single } from '../option.js';
import { KEY_OPTIONS, SETTINGS_OPTIONS, isSet, keysOf, listOf, placeOf, textOf } from '../options.js';
import type { Values } from '../options.js';
import { reportPlans, reportPublished } from '../report-publish.js';
import type { Planned } from '../report-publish.js';
import { differenceLines } from '../report.js';
import { destinationsOf, publishEach, publishOptions } from '../destinations.js';
import type { Circumstances } from '../destinations.js';
import { buildOptions, publishingOptions, signersFor } from './build.js';

export const publishCommand: Command = {
  examples: [
    ['packsign publish dist /mnt/www/dist', 'copy what is signed to a folder'],
    ['packsign publish dist www.example.org:/srv/dist', 'to a host, by rsync through ssh'],
    ['packsign publish dist s3://BUCKET/dist', 'to a bucket, set up as for the AWS tools'],
    ['packsign publish dist /mnt/www/dist --plan', 'print the steps, and do nothing'],
    ['packsign publish dist /mnt/www/dist --check', 'read everything back, for cron'],
  ],
  positionals: {
    directory: positional('FOLDER', 'the signed directory', { default: '.' }),
    destinations: positionals(
      'DESTINATION',
      'a folder, HOST:PATH, rsync://HOST/MODULE/PATH, s3://BUCKET/PREFIX',
    ),
  },
  options: {
    plan: flag('print the steps in order; write nothing'),
    check: flag('read everything back; exit 1 if anything differs'),
    url: single('ADDRESS', 'where readers fetch it (default: Database in packsign.json), or none'),
    delete: flag('remove what is no longer listed, once it is old'),
    'keep-old': single('TIME', 'how long such files stay with --delete (default: 30d)'),
    'with-uncovered': flag('send files that no signature covers too'),
    ...rare({
      adopt: flag('join what another machine published there, sign, publish'),
      ...KEY_OPTIONS,
      'cache-wait': single('TIME', 'how long to wait for caches that keep an older copy (default: 1min)'),
    }),
    ...SETTINGS_OPTIONS,
  },
  run: async (typed, session) => {
    const values = withDirectoryFirst(typed);
    const place = placeOf(values);
    const { directory } = place;
    const destinations = destinationsOf(values, place);
    const adopt = isSet(values, 'adopt') ? adopter(values, { place, session }) : null;
    const options = publishOptions(values, { place, session }, adopt);
    refuseNeedless(values, options);
    if (isSet(values, 'plan')) {
      const plans: Planned[] = [];
      const isBucket = destinations.some((one) => parseDestination(one).kind === 'bucket');
      const endpoint = isBucket ? storeEndpoint(session.outside.environment) : null;
      for (const destination of destinations) {
        plans.push({ destination, plan: await planPublication(directory, destination, options) });
      }
      return reportPlans(plans, { directory, endpoint, verbose: isSet(values, 'verbose') });
    }
    const attempts = await publishEach(directory, destinations, options);
    const [only] = attempts;
    if (attempts.length === 1 && only?.outcome instanceof PacksignError) throw only.outcome;
    return reportPublished(attempts, { verbose: isSet(values, 'verbose') });
  },
};

/** A single destination that is no folder is published to from here. */
function withDirectoryFirst(values: Values): Values {
  const first = textOf(values, 'directory') ?? '.';
  if (parseDestination(first).kind === 'folder') return values;
  return { ...values, directory: '.', destinations: [first, ...listOf(values, 'destinations')] };
}

/** Builds upon a database that another machine published, and signs. */
function adopter(values: Values, circumstances: Circumstances): (database: string) => Promise<unknown> {
  const { place } = circumstances;
  const { settings } = place;
  if (keysOf(values, { settings, outside: circumstances.session.outside }) === null) {
    throw new PacksignError('NO_KEY', 'no key to sign with, and --adopt signs what it joins', {
      hint: `name one: --key FILE, or in PACKSIGN_KEY, or as "Key" in ${join(place.directory, 'packsign.json')}`,
    });
  }
  const signers = once(() => signersFor(values, circumstances));
  return async (database) => {
    const { difference } = await build(place.directory, {
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
    // No build has shown what this one lists, signs and withdraws.
    circumstances.session.notice(
      'packsign: joined with what is published there:',
      ...differenceLines(difference),
    );
  };
}
