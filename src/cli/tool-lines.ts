import { parseDestination, webFileOf } from '../index.js';
import type { Destination, Plan } from '../index.js';
import { harmless, shown } from './terminal.js';

type Step = Plan['steps'][number];
type Write = Step['writes'][number];

/** Why no other tool can do the steps by lines to paste; null if it can. */
export function whyNoLines(directory: string, destination: string, { steps }: Plan): string | null {
  // Key files without the revocations in them lie nowhere on this disk.
  if (steps.some(({ name }) => name === 'revocations'))
    return 'only packsign can publish a revocation in two steps';
  const paths = steps.flatMap(({ writes, removes }) => [...writes.map(({ path }) => path), ...removes]);
  const isShown = (text: string) => harmless(text) === text;
  return [directory, destination, ...paths].every(isShown)
    ? null
    : 'a name has characters that a terminal does not show, so nobody could paste it';
}

export interface Ends {
  readonly directory: string;
  readonly destination: string;
  /** The address of the store, which older AWS tools do not take from the environment; null for the one of AWS. */
  readonly endpoint: string | null;
}

/** The same steps for rclone, and for the AWS command line where the destination is a bucket; none where `whyNoLines` says so. */
export function toolLines(
  plan: Plan,
  { directory, destination, endpoint }: Ends,
): readonly { readonly tool: string; readonly lines: readonly string[] }[] {
  if (whyNoLines(directory, destination, plan) !== null) return [];
  const { steps } = plan;
  const from = asFolder(directory);
  const parsed = parseDestination(destination);
  const rclone = {
    tool: 'rclone',
    lines: steps.flatMap((step) => rcloneLines(step, { directory: from, to: rcloneName(parsed) })),
  };
  if (parsed.kind !== 'bucket') return [rclone];
  const to = `s3://${parsed.bucket}/${parsed.prefix}`;
  const aws = endpoint === null ? 'aws s3' : `aws --endpoint-url ${shown(endpoint)} s3`;
  const lines = steps
    .flatMap((step) => awsLines(step, { directory: from, to }))
    .map((line) => `${aws} ${line}`);
  return [rclone, { tool: 'the AWS command line', lines }];
}

/** As rclone writes it; REMOTE is the name that the user gave it there. */
function rcloneName(destination: Destination): string {
  if (destination.kind === 'folder') return asFolder(destination.path);
  return `REMOTE:${destination.kind === 'bucket' ? `${destination.bucket}/${destination.prefix}` : destination.path}`;
}

/** A path that passes for no option, and for no name of a remote before a colon. */
function asFolder(path: string): string {
  return /^-|^[^/]*:/.test(path) ? `./${path}` : path;
}

interface Places {
  readonly directory: string;
  readonly to: string;
}

function rcloneLines({ writes, removes }: Step, { directory, to }: Places): readonly string[] {
  const groups = new Map<string, readonly Write[]>();
  for (const write of writes) {
    const { cacheControl } = webFileOf(write.path);
    groups.set(cacheControl, [...(groups.get(cacheControl) ?? []), write]);
  }
  // No name of a file may end the list.
  let end = 'END';
  while (writes.some(({ path }) => path === end)) end += '_';
  return [
    ...Array.from(groups).flatMap(([cacheControl, files]) => [
      `rclone copy --no-traverse --ignore-times --header-upload 'Cache-Control: ${cacheControl}' --files-from-raw - ${shown(directory)} ${shown(to)} <<'${end}'`,
      ...files.map(({ path }) => path),
      end,
    ]),
    ...removes.map((path) => `rclone deletefile ${shown(`${to.replace(/([^:/])$/, '$1/')}${path}`)}`),
  ];
}

/** Without the name of the program. */
function awsLines({ writes, removes }: Step, { directory, to }: Places): readonly string[] {
  return [
    ...writes.map(({ path }) => {
      const { type, cacheControl } = webFileOf(path);
      const headers = `--content-type '${type}' --cache-control '${cacheControl}'`;
      return `cp ${headers} ${shown(`${directory}/${path}`)} ${shown(to + path)}`;
    }),
    ...removes.map((path) => `rm ${shown(to + path)}`),
  ];
}
