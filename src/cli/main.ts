import { COMMANDS } from './commands/all.js';
import type { Command, Report } from './command.js';
import { reportFailure } from './failure.js';
import { overview } from './help.js';
import type { Values } from './options.js';
import { makeProgress } from './progress.js';
import type { Outside } from './streams.js';
import { harmlessJson } from './terminal.js';
import { version } from './version.js';

/**
 * Runs packsign with the arguments after its name, and gives the exit status. Nothing here or below ends
 * the process by itself.
 */
export async function main(argv: readonly string[], given: Outside): Promise<number> {
  const outside = argv.includes('--no-color') ? withoutColor(given) : given;
  let directory: unknown = null;
  try {
    // The commonest questions are answered without loading anything.
    if (argv.length === 1 && ['--help', '-h', 'help'].includes(argv[0] ?? '')) {
      outside.stdout.write(overview(COMMANDS));
      return 0;
    }
    if (argv.length === 1 && argv[0] === '--version') {
      outside.stdout.write(`${version()}\n`);
      return 0;
    }
    const { parse } = await import('./program.js');
    const parsed = await parse(argv.length === 0 ? ['status'] : argv, COMMANDS);
    if (parsed.kind === 'text') {
      outside.stdout.write(parsed.text);
      return 0;
    }
    directory = parsed.values['directory'];
    return await carryOut(parsed, outside);
  } catch (error) {
    return reportFailure(error, { ...outside, argv, directory });
  }
}

/** The option is the environment variable by another name: whoever colours asks for that one alone. */
function withoutColor(outside: Outside): Outside {
  return { ...outside, environment: { ...outside.environment, NO_COLOR: '1' } };
}

async function carryOut(
  { command, values }: { command: Command; values: Values },
  outside: Outside,
): Promise<number> {
  const quiet = values['quiet'] === true;
  const json = values['json'] === true;
  const progress = makeProgress(outside, { quiet: quiet || json });
  const notices: string[] = [];
  const print = (report: Report) => {
    progress.rest();
    const lines = [...(report.notices ?? []), ...notices.splice(0)];
    if (!quiet) for (const line of lines) outside.stderr.write(`${line}\n`);
    if (json && report.json !== null) outside.stdout.write(`${harmlessJson(report.json)}\n`);
    if (!json && !quiet) for (const line of report.lines) outside.stdout.write(`${line}\n`);
  };
  try {
    const report = await command.run(values, {
      outside,
      progress,
      print,
      notice: (...lines) => notices.push(...lines),
    });
    print(report);
    return report.exitStatus;
  } finally {
    progress.rest();
  }
}
