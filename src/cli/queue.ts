import { PacksignError, chanceOfFinding, parseQueue } from '../index.js';
import type { DoubleChecked, QueueAddress, QueueOptions } from '../index.js';
import type { Session } from './command.js';
import { single } from './option.js';
import { textOf } from './options.js';
import type { Values } from './options.js';
import { warningLines } from './report.js';
import { count } from './terminal.js';

export const QUEUE_OPTION = single('ADDRESS', 'Redis server of the queue (default: PACKSIGN_QUEUE)');

/** The queue that the user named, on the command line or in the environment; null for none. Throws USAGE. */
export function queueOf(values: Values, { outside, notice }: Session): QueueAddress | null {
  const typed = textOf(values, 'queue');
  const text = typed ?? outside.environment['PACKSIGN_QUEUE'] ?? '';
  if (text === '') return null;
  const address = parseQueue(text);
  if (typed !== null && address.password !== '') {
    const message =
      'the password in --queue can be seen by other users of this machine: put the address into PACKSIGN_QUEUE';
    notice(...warningLines([{ code: 'PASSWORD_SEEN', path: null, message }]));
  }
  return address;
}

/** The queue of a build; other commands read little. Throws USAGE. */
export function queueFor(values: Values, session: Session): QueueOptions | null {
  const percent = percentOf(values);
  const address = values['$0'] === 'packsign build' ? queueOf(values, session) : null;
  if (address !== null) {
    const onChecked = (checked: DoubleChecked) => session.notice(checkedLine(checked));
    return { address, doubleCheck: percent === null ? null : { percent, onChecked } };
  }
  if (percent === null) return null;
  throw new PacksignError('USAGE', '--double-check is about what workers read, and no queue is named', {
    hint: 'name it with --queue redis://HOST:6379, or in PACKSIGN_QUEUE; or leave out --double-check',
  });
}

/** For a directory, which no worker can reach. Throws USAGE. */
export function refuseQueue(values: Values): void {
  const name = ['queue', 'double-check'].find((option) => values[option] !== undefined);
  if (name === undefined) return;
  throw new PacksignError('USAGE', `--${name} is for files in a bucket, which workers can reach too`, {
    hint: `leave out --${name}, or name a bucket: packsign build s3://BUCKET/PREFIX --state FOLDER`,
  });
}

function percentOf(values: Values): number | null {
  const text = textOf(values, 'double-check');
  if (text === null) return null;
  const [, digits] = /^(\d{1,3}(?:\.\d{1,6})?) ?%?$/.exec(text) ?? [];
  const percent = Number(digits ?? 0);
  if (percent > 0 && percent <= 100) return percent;
  throw new PacksignError('USAGE', `--double-check must be a percentage like 5% or 100, not "${text}"`);
}

/** A lie about one file in a hundred is what the line speaks of. */
const LIES_PERCENT = 1;

function checkedLine({ sample, total }: DoubleChecked): string {
  const lies = Math.ceil((total * LIES_PERCENT) / 100);
  const chance = chanceOfFinding(lies, { sample, total });
  const whole = `packsign: read ${count(sample, 'file')} of ${total} again that workers had read: no difference`;
  if (sample === total) return whole;
  return `${whole}; had they lied about ${lies} of them, this would have shown with a probability of ${(chance * 100).toFixed(1)} %`;
}
