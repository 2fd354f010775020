import {
  PacksignError,
  trustAccept,
  trustAdd,
  trustDamage,
  trustExport,
  trustList,
  trustRefresh,
  trustRemove,
} from '../../index.js';
import type { AskFailure, TrustRun } from '../../index.js';
import type { Command, Session } from '../command.js';
import { flag, positional, positionals, rare, repeated, single } from '../option.js';
import { WAIT_OPTION, isSet, listOf, numberOf, textOf } from '../options.js';
import type { Values } from '../options.js';
import { readTyped } from '../prompt.js';
import { TIMEOUT_OPTION, placeOfTrust, storeOf } from '../remote.js';
import {
  brokenLines,
  offerLines,
  proposedKeyLines,
  reportAccepted,
  reportAdded,
  reportBundle,
  reportRefreshed,
  reportRemoved,
  reportTrusted,
} from '../report-trust.js';
import { runOf } from '../run.js';
import { readPasted } from '../secrets.js';
import { canAsk } from '../streams.js';
import { harmless } from '../terminal.js';
import { writeLines } from '../wrap.js';

const DATABASES = { db: positionals('DATABASE', 'names or addresses (default: all)') };

export const trustAddCommand: Command = {
  examples: [
    ['packsign trust add https://example.org/dist --keys maintainer.asc', 'by a key that you have'],
    ['packsign trust add https://example.org/dist --keys -', 'by a key that you paste'],
    ['packsign trust add https://example.org/dist --fingerprint "0123 … CDEF"', 'by its fingerprint'],
    [
      'packsign trust add https://example.org/other --via example.org-dist',
      'because one you trust vouches for it',
    ],
  ],
  positionals: { url: positional('ADDRESS', 'address of the database, or of its directory') },
  options: {
    keys: single('FILE', 'file of certificates, - for standard input; all keys in it are pinned'),
    fingerprint: repeated('FINGERPRINT', 'primary fingerprint to pin; its key is fetched'),
    blindly: flag('pin nothing: the padlock stays open'),
    via: single('DATABASE', 'name of a trusted database that vouches for this one'),
    threshold: single(
      'NUMBER',
      'how many of the keys must sign (default: all; with --via, as many as it says)',
    ),
    name: single('NAME', 'name to give it'),
    ...rare({ timeout: TIMEOUT_OPTION, wait: WAIT_OPTION }),
  },
  run: async (values, session) => {
    const keys = textOf(values, 'keys');
    const pasted = keys === '-' ? Buffer.from(await readPasted(session.outside)) : null;
    session.progress.say('looking at the database');
    const added = await trustAdd(textOf(values, 'url') ?? '', {
      run: trustRun(values, session),
      keys: pasted ?? keys,
      fingerprints: listOf(values, 'fingerprint'),
      blindly: isSet(values, 'blindly'),
      via: textOf(values, 'via'),
      threshold: numberOf(values, 'threshold'),
      name: textOf(values, 'name'),
      confirm: (offer) => confirmed(session, offerLines(offer)),
    });
    return reportAdded(added);
  },
};

/** A run with the user's own store. */
function trustRun(values: Values, session: Session): TrustRun {
  return { ...runOf(values, session), trust: storeOf(values, session.outside) };
}

/** Asks at a terminal. Without one, the author of the command line has already decided. */
async function confirmed(
  { outside, progress }: Session,
  lines: readonly string[],
  prompt = 'trust it? [y/N] ',
): Promise<boolean> {
  progress.rest();
  if (!canAsk(outside)) return true;
  writeLines(outside.stderr, lines);
  const answer = await readTyped(outside, { prompt, isHidden: false });
  return /^y(?:es)?$/i.test((answer ?? '').trim());
}

export const trustListCommand: Command = {
  examples: [['packsign trust list', 'names, addresses, fingerprints']],
  options: { trust: single('FILE', 'file made by packsign trust export') },
  run: async (values, { outside }) => {
    const place = placeOfTrust(values, outside);
    return reportTrusted(await trustList(place), await trustDamage(place));
  },
};

export const trustRemoveCommand: Command = {
  examples: [['packsign trust remove example.org-dist', 'forget its keys and its last database']],
  positionals: { db: positional('DATABASE', 'name or address') },
  options: rare({ wait: WAIT_OPTION }),
  run: async (values, { outside }) =>
    reportRemoved(await trustRemove(textOf(values, 'db') ?? '', storeOf(values, outside))),
};

export const trustRefreshCommand: Command = {
  examples: [
    ['packsign trust refresh', 'every database that you trust'],
    ['packsign trust refresh example.org-dist --pin 0123…CDEF', 'pin a key that it proposes'],
  ],
  positionals: DATABASES,
  options: {
    pin: repeated('FINGERPRINT', 'primary fingerprint to pin, of those that are proposed'),
    ...rare({ timeout: TIMEOUT_OPTION, wait: WAIT_OPTION }),
  },
  run: async (values, session) => {
    const run = trustRun(values, session);
    const named = listOf(values, 'db');
    const targets = named.length > 0 ? named : (await trustList(run.trust)).map(({ name }) => name);
    const refreshed = [];
    const damaged = named.length > 0 ? [] : await trustDamage(run.trust);
    const failures: AskFailure[] = damaged.map((error) => ({ target: null, error }));
    for (const target of targets) {
      session.progress.say(`looking at ${target}`);
      const confirm: Parameters<typeof trustRefresh>[1]['confirm'] = (name, keys) =>
        confirmed(session, [`${harmless(name)}:`, ...keys.flatMap(proposedKeyLines)]);
      try {
        const pin = listOf(values, 'pin');
        refreshed.push(await trustRefresh(target, { run, pin, confirm }));
      } catch (error) {
        // Go on with the others if one fails.
        if (!(error instanceof PacksignError) || targets.length === 1) throw error;
        failures.push({ target, error });
      }
    }
    return reportRefreshed(refreshed, failures);
  },
};

export const trustAcceptCommand: Command = {
  examples: [
    ['packsign trust accept example.org-dist', 'after its maintainer started over, and told you so'],
    ['packsign trust accept dist', 'a directory that this machine publishes'],
  ],
  positionals: {
    target: positional('TARGET', 'name or address of a trusted database, or a directory'),
  },
  options: {
    yes: flag('accept without asking'),
    ...rare({ timeout: TIMEOUT_OPTION, wait: WAIT_OPTION }),
  },
  run: async (values, session) => {
    const target = textOf(values, 'target') ?? '';
    session.progress.say(`looking at ${target}`);
    const accepted = await trustAccept(target, {
      run: trustRun(values, session),
      confirm: async (broken) => {
        if (isSet(values, 'yes')) return true;
        if (canAsk(session.outside))
          return await confirmed(session, brokenLines(broken), 'accept it? [y/N] ');
        const lines = [...brokenLines(broken), 'nobody is here to ask: --yes accepts it'];
        throw new PacksignError('NOT_CONFIRMED', lines.join('\n'));
      },
    });
    return reportAccepted(accepted);
  },
};

export const trustExportCommand: Command = {
  examples: [
    ['packsign trust export > trust.json', 'packsign get demo --trust trust.json uses it elsewhere'],
  ],
  positionals: DATABASES,
  options: {},
  run: async (values, { outside }) => {
    const named = listOf(values, 'db');
    const damaged = named.length > 0 ? [] : await trustDamage(storeOf(values, outside));
    return reportBundle(trustExport(named, storeOf(values, outside)), damaged);
  },
};
