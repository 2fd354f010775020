import { WHY_READ, formatBytes } from '../index.js';
import type { Merged, Parts, ReadHere, ShardResult } from '../index.js';
import type { Report } from './command.js';
import { LIST_LIMIT, limited, warningLines } from './report.js';
import { count, formatInteger, harmless, shown } from './terminal.js';

// What packsign says about the parts of a bucket that is built by several machines.

export function reportShard(
  { part, shard, address, files, bytes, hashed, cached, warnings }: ShardResult,
  { state, verbose }: { readonly state: string | null; readonly verbose: boolean },
): Report {
  const others = shard === '1/1' ? '' : ' OTHERS';
  return {
    json: { ok: true, part, shard, address, files, bytes, hashed, cached, warnings },
    lines: [
      `${count(files, 'file')}, ${formatBytes(bytes)} (${formatInteger(hashed)} hashed, ${formatInteger(cached)} known)`,
      `wrote ${harmless(part)}, part ${shard} of ${harmless(address)}; merge it${others === '' ? '' : ' with the others'} where you sign:`,
      `  packsign merge ${shown(part)}${others} --state ${state === null ? 'FOLDER' : shown(state)}`,
    ],
    notices: warningLines(warnings, { verbose }),
    exitStatus: 0,
  };
}

interface FromParts {
  readonly merged: Merged;
  readonly parts: Parts;
  readonly verbose: boolean;
}

/** A report of a build, and what became of the parts that it was made from. */
export function withParts(report: Report, { merged, parts, verbose }: FromParts): Report {
  const { taken, read } = merged;
  const { missing, parts: given } = parts;
  const [first = '', ...more] = report.lines;
  const known = taken === 0 ? 'nothing new' : count(taken, 'file');
  const here = read.length === 0 ? '' : '; read here:';
  const why = ({ path, reason }: ReadHere) => [`  ${harmless(path)}: ${WHY_READ[reason]}`];
  const absent = `packsign: without part ${missing.join(', ')} of ${formatInteger(parts.count)}`;
  return {
    ...report,
    json: { ...report.json, taken, read, missing },
    lines: [
      first,
      `${known} from ${count(given.length, 'part')}${here}`,
      ...limited(read, verbose ? Infinity : LIST_LIMIT, why),
      ...more,
    ],
    notices: [...(missing.length === 0 ? [] : [absent]), ...(report.notices ?? [])],
  };
}
