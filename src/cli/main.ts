import { COMMANDS } from './commands/all.js';
import type { Report } from './command.js';
import { reportFailure } from './failure.js';
import { knownOf } from './hint.js';
import type { Typed } from './hint.js';
import { overview } from './help.js';
import type { Chosen } from './program.js';
import { makeProgress } from './progress.js';
import { canColor } from './streams.js';
import type { Outside } from './streams.js';
import { harmlessJson } from './terminal.js';
import { inColour } from './verdict-colour.js';
import { version } from './version.js';
import { writeLines } from './wrap.js';

/** Runs packsign with the arguments after its name, and returns the exit status. Nothing here or below ends the process. */
export async function main(argv: readonly string[], given: Outside): Promise<number> {
  const outside = argv.includes('--no-color') ? withoutColor(given) : given;
  let typed: Typed = {};
  try {
    if (argv[0] === '--complete') {
      const { complete } = await import('./complete.js');
      outside.stdout.write(await complete(argv.slice(1), outside));
      return 0;
    }
    const parsed = quickAnswer(argv) ?? (await parsedBy(argv));
    if (typeof parsed === 'string') {
      outside.stdout.write(parsed);
      return 0;
    }
    typed = parsed.values;
    return await carryOut(parsed, outside);
  } catch (error) {
    return reportFailure(error, { ...outside, argv, typed: await knownOf(typed, outside) });
  }
}

/** Only the first line is ours alone: others may begin with names from elsewhere. */
function coloured([first, ...others]: readonly string[], outside: Outside): readonly string[] {
  if (first === undefined) return [];
  return canColor(outside, outside.stdout) ? [inColour(first), ...others] : [first, ...others];
}

/** --no-color sets NO_COLOR, so that everything else asks for that alone. */
function withoutColor(outside: Outside): Outside {
  return { ...outside, environment: { ...outside.environment, NO_COLOR: '1' } };
}

/** The answer to a question that needs no command, without loading anything. */
function quickAnswer(argv: readonly string[]): string | null {
  if (argv.length === 1 && argv[0] === '--version') return `${version()}\n`;
  const isForHelp = argv.some((word) => ['--help', '-h'].includes(word));
  const isAlone = argv.every((word) => word.startsWith('-'));
  return (isForHelp && isAlone) || (argv.length === 1 && argv[0] === 'help') ? overview(COMMANDS) : null;
}

async function parsedBy(argv: readonly string[]): Promise<Chosen | string> {
  const { parse } = await import('./program.js');
  return await parse(argv.length === 0 ? ['status'] : argv, COMMANDS);
}

async function carryOut({ command, values }: Chosen, outside: Outside): Promise<number> {
  const quiet = values['quiet'] === true;
  const json = values['json'] === true;
  const progress = makeProgress(outside, { quiet });
  const warn = (lines: readonly string[]) => {
    const isShown = (line: string) => !quiet || line.startsWith('packsign: error:');
    progress.aside(() => {
      writeLines(outside.stderr, lines.filter(isShown));
    });
  };
  const print = (report: Report) => {
    progress.rest();
    warn(report.notices ?? []);
    if (json && report.json !== null) outside.stdout.write(`${harmlessJson(report.json)}\n`);
    if (json || quiet) return;
    if (report.isExact === true) outside.stdout.write(report.lines.map((line) => `${line}\n`).join(''));
    else writeLines(outside.stdout, coloured(report.lines, outside));
  };
  try {
    const notice = (...lines: readonly string[]) => warn(lines);
    const report = await command.run(values, { outside, progress, print, notice });
    print(report);
    return report.exitStatus;
  } finally {
    progress.rest();
  }
}
