import { PacksignError, destinationsIn, eachOnce, publish } from '../index.js';
import type { PublishOptions, PublishedTo } from '../index.js';
import type { Session } from './command.js';
import { knownIn } from './failure.js';
import { isSet, listOf, secondsOf, textOf } from './options.js';
import type { Place, Values } from './options.js';
import type { Attempt } from './report-publish.js';
import { writingRun } from './run.js';

/** Destinations as typed, else those of the settings. Throws USAGE. */
export function destinationsOf(values: Values, { directory, settings }: Place): readonly string[] {
  const typed = listOf(values, 'destinations');
  const destinations = typed.length > 0 ? typed : destinationsIn(directory, settings);
  if (destinations.length > 0) return eachOnce(destinations);
  throw new PacksignError('USAGE', `no destination given for ${directory}`, {
    hint: 'packsign publish DIRECTORY DESTINATION, or "Publish" in packsign.json',
  });
}

/** Publishes to one destination after the other. Readers' address is looked at when all of them have it. */
export async function publishEach(
  directory: string,
  destinations: readonly string[],
  options: PublishOptions,
): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  for (const [index, destination] of destinations.entries()) {
    const url = index === destinations.length - 1 ? options.url : null;
    const outcome = await outcomeOf(() => publish(directory, destination, { ...options, url }));
    attempts.push({ destination, outcome });
  }
  return attempts;
}

/** An error that the user can do something about does not keep the other destinations waiting. */
async function outcomeOf(work: () => Promise<PublishedTo>): Promise<PublishedTo | PacksignError> {
  try {
    return await work();
  } catch (error) {
    const known = knownIn(error);
    if (known !== null) return known;
    throw error;
  }
}

export interface Circumstances {
  readonly place: Place;
  readonly session: Session;
}

/** `adopt` joins what another machine published, if the user asks for that. */
export function publishOptions(
  values: Values,
  { place, session }: Circumstances,
  adopt: PublishOptions['adopt'] = null,
): PublishOptions {
  const { settings } = place;
  const url = textOf(values, 'url') ?? settings.Database ?? 'none';
  return {
    settings,
    run: writingRun(values, session, place),
    environment: session.outside.environment,
    withUncovered: isSet(values, 'with-uncovered'),
    allowSecrets: listOf(values, 'allow-secret'),
    isJustBuilt: false,
    isCheck: isSet(values, 'check'),
    url: url === 'none' ? null : url,
    keepOldMs: isSet(values, 'delete') ? msOf(values, 'keep-old', '30d') : null,
    patienceMs: msOf(values, 'cache-wait', '1min'),
    adopt,
  };
}

function msOf(values: Values, name: string, example: string): number {
  const text = textOf(values, name) ?? example;
  return /^0[a-z]*$/.test(text) ? 0 : secondsOf(text, { name, example }) * 1000;
}
