import type { Warning, WarningCode } from '../model/finding.js';
import { runChild, runChildNow } from '../programs/child.js';
import type { ChildOutcome } from '../programs/child.js';
import { failureOf, splitCommand } from '../signers/command.js';
import { onceEach } from './unsaid.js';

const HOOKS = ['--on-publish', '--on-failure'] as const;

/** A command of the user, by the option that names it. */
export type HookName = (typeof HOOKS)[number];

/** What a command is run for. */
export interface Occasion {
  readonly hook: HookName;
  readonly event: string;
  /** Of a failure. */
  readonly code: string | null;
  /** The event in one line, for standard input. */
  readonly json: string;
}

/** Runs the commands beside the watch, one at a time, in the order of the events. */
export interface Hooks {
  /** Never waits. Does nothing if the user gave no such command. */
  readonly tell: (occasion: Occasion) => void;
  /** Runs the command before it returns: for a process that is about to end. */
  readonly tellNow: (occasion: Occasion) => void;
  /** Waits until all have run; once the signal has come, no longer than a second after it. */
  readonly ended: () => Promise<void>;
}

export interface HooksOptions {
  /** The commands as the user typed them. */
  readonly commands: Readonly<Record<HookName, string | null>>;
  readonly directory: string;
  /** packsign's own environment; the commands do not get packsign's own variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Stops the watch. */
  readonly signal: AbortSignal;
  /** Gets what the commands print, a line at a time. Foreign text. */
  readonly onOutput: (line: string) => void;
  readonly warn: (warning: Warning) => void;
  /** How long a command may take. */
  readonly limitMs?: number;
}

const LIMIT_MS = 60_000;
/** How long the commands may go on after a signal. */
const LAST_MS = 1000;
/** How long the command may take that is told of an internal error. */
const FINAL_MS = 10_000;
/** How many events may wait for their command. */
const QUEUE_LIMIT = 100;
/** As much of the output of one run as a person reads. */
const OUTPUT_LIMIT = { characters: 16_384, lines: 100 } as const;

const EXAMPLES: Readonly<Record<HookName, string>> = {
  '--on-publish': "--on-publish 'curl -fsS -X PURGE https://releases.example.org/packages.plist'",
  '--on-failure': "--on-failure 'mail -s packsign you@example.org'",
};

type Context = HooksOptions & {
  /** Aborted once no command may run any longer. */
  readonly over: AbortSignal;
};

/** Throws USAGE for a command that is empty or has an open quote. */
export function openHooks(options: HooksOptions): Hooks {
  const argvs = {
    '--on-publish': argvOf('--on-publish', options),
    '--on-failure': argvOf('--on-failure', options),
  };
  // What is wrong with a command is wrong with it at every event.
  const context = { ...options, over: endAfter(options.signal), warn: onceEach(options.warn) };
  const waiting: Occasion[] = [];
  let isWorking = false;
  let work = Promise.resolve();
  const workOff = async () => {
    isWorking = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const argv = argvs[next.hook] ?? [];
      if (context.over.aborted) dropForEnd([next, ...waiting.splice(0)], options);
      else await runHook(argv, next, context);
    }
    isWorking = false;
  };
  return {
    tell: (occasion) => {
      if (argvs[occasion.hook] === null) return;
      waiting.push(occasion);
      if (waiting.length > QUEUE_LIMIT) dropOldest(waiting, context);
      if (!isWorking) work = workOff();
    },
    tellNow: (occasion) => {
      const argv = argvs[occasion.hook];
      if (argv === null) return;
      const outcome = runChildNow(argv, { ...callOf(occasion, context), timeoutMs: FINAL_MS });
      report(outcome, argv, { ...context, hook: occasion.hook });
    },
    ended: async () => {
      await work;
    },
  };
}

function argvOf(hook: HookName, { commands }: HooksOptions): readonly string[] | null {
  const command = commands[hook];
  return command === null ? null : splitCommand(command, { after: hook, hint: EXAMPLES[hook] });
}

function endAfter(signal: AbortSignal): AbortSignal {
  const over = new AbortController();
  const end = () => setTimeout(() => over.abort(), LAST_MS).unref();
  if (signal.aborted) end();
  signal.addEventListener('abort', end);
  return over.signal;
}

async function runHook(argv: readonly string[], occasion: Occasion, context: Context): Promise<void> {
  const { limitMs = LIMIT_MS, over } = context;
  const call = { ...callOf(occasion, context), isGroup: true, timeoutMs: limitMs, signal: over };
  report(await runChild(argv, call), argv, { ...context, hook: occasion.hook });
}

function callOf({ event, code, json }: Occasion, { environment, directory }: Context) {
  const known = code === null ? {} : { PACKSIGN_CODE: code };
  return {
    environment,
    variables: { PACKSIGN_EVENT: event, PACKSIGN_DIRECTORY: directory, ...known },
    input: Buffer.from(`${json}\n`),
  };
}

function report(
  outcome: ChildOutcome,
  argv: readonly string[],
  { hook, over, limitMs = LIMIT_MS, onOutput, warn }: Context & Pick<Occasion, 'hook'>,
): void {
  for (const line of linesOf(outcome)) onOutput(line);
  const program = programOf(argv);
  const failure = failureOf(outcome, program);
  if (failure === null) return;
  if (outcome.trouble !== 'timeout') warn(warningOf(hook, 'HOOK_FAILED', failure));
  else {
    const why = over.aborted ? 'as the watch ends' : `after ${limitMs / 1000} seconds`;
    const killed = `${program} was killed ${why}, with all that it started`;
    warn(warningOf(hook, 'HOOK_TIMED_OUT', killed));
  }
}

/** As the user may have typed it. */
function programOf([program = '']: readonly string[]): string {
  return program === '' ? "''" : program;
}

function linesOf({ stdout, stderr }: ChildOutcome): readonly string[] {
  const text = `${stdout.toString('utf8')}\n${stderr}`;
  const lines = text.slice(0, OUTPUT_LIMIT.characters).split('\n');
  const shown = lines.filter((line) => line.trim() !== '').slice(0, OUTPUT_LIMIT.lines);
  const isAll = text.length <= OUTPUT_LIMIT.characters && shown.length < OUTPUT_LIMIT.lines;
  return isAll ? shown : [...shown, '… and more'];
}

function warningOf(hook: HookName, code: WarningCode, message: string): Warning {
  return { code, path: null, message: `${hook}: ${message}` };
}

/** Makes room in the queue. A later publication may stand for an earlier one; a failure is told only once. */
function dropOldest(waiting: Occasion[], { warn }: Context): void {
  const oldest = waiting.findIndex(({ hook }) => hook === '--on-publish');
  for (const { hook } of waiting.splice(Math.max(oldest, 0), 1)) {
    const message = `more than ${QUEUE_LIMIT} events wait for their commands; it is not run for the oldest`;
    warn(warningOf(hook, 'HOOK_DROPPED', message));
  }
}

function dropForEnd(dropped: readonly Occasion[], { warn }: HooksOptions): void {
  for (const name of HOOKS) {
    const count = dropped.filter(({ hook }) => hook === name).length;
    const events = count === 1 ? 'one event' : `${count} events`;
    if (count > 0) warn(warningOf(name, 'HOOK_DROPPED', `not run for ${events}, as the watch ends`));
  }
}
