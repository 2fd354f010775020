import { join } from 'node:path';
import { kindOf } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { isAddress } from '../model/address.js';
import { chainOf } from '../model/chain.js';
import { isAhead } from '../model/dated-back.js';
import { DATABASE_NAME } from '../model/layout.js';
import { withNetwork } from '../net/transport.js';
import { directoryPlace } from '../places/directory.js';
import { readNote, writeNote } from '../published/notes.js';
import type { Run } from '../run.js';
import { fetchThrough } from './fetch.js';
import { NO_PINS } from './pins.js';
import type { BrokenChain, PlaceRequest } from './sources.js';
import { findEntry, notTrusted } from './sources.js';
import { localSource } from './verify.js';
import { verifyPlace } from './verify-place.js';
import type { PlaceVerdict } from './verify-place.js';

export interface TrustAcceptOptions {
  readonly run: Run;
  /** Called with what does not continue; false ends with NOT_CONFIRMED. */
  readonly confirm: (broken: BrokenChain) => Promise<boolean>;
}

/** What was accepted; nothing is missed in `breaks` where the database continues the accepted one. */
export interface TrustAccepted extends BrokenChain {
  /** The database as it was named. */
  readonly target: string;
}

/**
 * Accepts a database although it does not continue the last accepted one: of a trusted name or address, or of a directory
 * that this machine publishes. All other rules hold, and only the bytes that `confirm` was told of are accepted
 * (docs/FORMAT.md §8 step 8). Throws NOT_CONFIRMED, NOT_PINNED, NOT_TRUSTED, what `fetchDatabase` throws, and the
 * code of a database that is refused for another reason.
 */
export async function trustAccept(
  target: string,
  { run, confirm }: TrustAcceptOptions,
): Promise<TrustAccepted> {
  const asked: BrokenChain[] = [];
  const request = {
    run,
    confirmBreaks: async (broken: BrokenChain) => {
      asked.push(broken);
      return await confirm(broken);
    },
  };
  const isRemote = isAddress(target) || findEntry(target, run.trust) !== null;
  const answer = isRemote ? await acceptRemote(target, request) : await acceptDirectory(target, request);
  if (answer.status === 'refused') throw refusedAs(answer, run.now);
  const { trusted, sha256, accepted } = answer;
  if (trusted === null || sha256 === null) {
    const why = `no key is pinned for ${target}, so there is nothing that it has to continue`;
    throw new PacksignError('NOT_PINNED', why);
  }
  const { Issued: issued } = trusted.Packsign;
  const broken = asked.find((one) => one.sha256 === sha256);
  return { target, ...(broken ?? { sha256, issued, before: accepted?.issued ?? issued, breaks: [] }) };
}

async function acceptRemote(target: string, request: PlaceRequest): Promise<PlaceVerdict> {
  return await withNetwork(request.run.network, async (network) => {
    const answer = await fetchThrough(network, target, { ...NO_PINS, ...request, fresh: true });
    return { ...answer, listed: null };
  });
}

async function acceptDirectory(directory: string, request: PlaceRequest): Promise<PlaceVerdict> {
  const { run } = request;
  const { notesFolder } = run;
  const note = notesFolder === null ? null : readNote(notesFolder, directory);
  if (note === null || notesFolder === null) {
    if (kindOf(directory) === null) throw notTrusted(directory, run.trust);
    throw new PacksignError('NOT_TRUSTED', `this machine published nothing in ${directory}`, {
      hint: 'packsign trust list shows the names of trusted databases',
    });
  }
  const source = await localSource(note, { ...NO_PINS, signatureFile: null, isDirectory: true, run });
  const answer = await verifyPlace(directoryPlace(join(directory, DATABASE_NAME)), source, request);
  const { trusted, sha256 } = answer;
  if (trusted !== null && sha256 !== null && sha256 !== note.sha256) {
    const { fingerprints, threshold } = note;
    const accepted = { fingerprints, threshold, issued: trusted.Packsign.Issued, sha256 };
    writeNote(notesFolder, directory, { ...accepted, chain: () => chainOf(trusted) });
  }
  return answer;
}

function refusedAs({ code, message, accepted }: PlaceVerdict, now: Date): PacksignError {
  // The message has the way out of one from the future.
  const isForgettable = accepted !== null && isAhead(accepted.issued, now);
  const isOld = (code === 'DATABASE_ROLLED_BACK' && !isForgettable) || code === 'DATABASE_FORKED';
  const hint = 'this cannot be accepted: its maintainer has to build and sign again, with a later date';
  return new PacksignError(code ?? 'HISTORY_BROKEN', message ?? '', isOld ? { hint } : {});
}
