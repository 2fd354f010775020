import { resolve } from 'node:path';
import { isBucketAddress, isPublication, isTrouble, openHooks } from '../index.js';
import type { Hooks, WatchEvent } from '../index.js';
import type { Report, Session } from './command.js';
import { failureJson } from './failure.js';
import { single } from './option.js';
import type { OptionTable } from './option.js';
import { isSet, textOf } from './options.js';
import type { Values } from './options.js';
import { warningLines } from './report.js';
import { harmless, harmlessJson } from './terminal.js';

/** Only the command line names commands: packsign.json may come with the directory (threat T26). */
export const HOOK_OPTIONS: OptionTable = {
  'on-publish': single('COMMAND', 'command to run after each publication'),
  'on-failure': single('COMMAND', 'command to run when a file is held or refused, or watch fails'),
};

/** The commands that the user typed. Throws USAGE. */
export function hooksOf(values: Values, { outside, progress }: Session, signal: AbortSignal): Hooks {
  const directory = textOf(values, 'directory') ?? '.';
  const say = (line: string) => {
    progress.rest();
    outside.stderr.write(`${line}\n`);
  };
  return openHooks({
    commands: {
      '--on-publish': textOf(values, 'on-publish'),
      '--on-failure': textOf(values, 'on-failure'),
    },
    directory: isBucketAddress(directory) ? directory : resolve(directory),
    environment: outside.environment,
    signal,
    onOutput: (line) => say(harmless(line)),
    warn: (warning) => {
      if (!isSet(values, 'quiet')) for (const line of warningLines([warning])) say(line);
    },
  });
}

export function tellHooks(hooks: Hooks, watchEvent: WatchEvent, { json }: Report): void {
  const hook = isPublication(watchEvent) ? '--on-publish' : isTrouble(watchEvent) ? '--on-failure' : null;
  const { event, code } = watchEvent;
  if (hook !== null) hooks.tell({ hook, event, code, json: harmlessJson(json) });
}

/** Tells of what ends the watch. */
export function tellFailure({ tell }: Pick<Hooks, 'tell'>, error: unknown, values: Values): void {
  const json = failureJson(error, values);
  tell({ hook: '--on-failure', event: 'error', code: json.error.code, json: harmlessJson(json) });
}
