import type { Command } from '../command.js';
import { buildCommand } from './build.js';
import { exportCommand } from './export.js';
import { getCommand } from './get.js';
import { keyPublishCommand } from './key-publish.js';
import { listCommand } from './list.js';
import { pageCommand } from './page.js';
import { serveCommand } from './serve.js';
import { statusCommand } from './status.js';
import { diffCommand } from './diff.js';
import { initCommand } from './init.js';
import { keyGenerateCommand, keyShowCommand } from './key.js';
import { keyCheckBackupCommand, keyExtendCommand, keyRevokeCommand, keyRotateCommand } from './key-renew.js';
import { signCommand } from './sign.js';
import {
  trustAddCommand,
  trustExportCommand,
  trustListCommand,
  trustRefreshCommand,
  trustRemoveCommand,
} from './trust.js';
import { verifyCommand } from './verify.js';
import { watchCommand } from './watch.js';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  initCommand,
  keyGenerateCommand,
  keyShowCommand,
  keyCheckBackupCommand,
  keyPublishCommand,
  keyExtendCommand,
  keyRotateCommand,
  keyRevokeCommand,
  buildCommand,
  diffCommand,
  signCommand,
  watchCommand,
  statusCommand,
  pageCommand,
  serveCommand,
  exportCommand,
  verifyCommand,
  trustAddCommand,
  trustListCommand,
  trustRefreshCommand,
  trustRemoveCommand,
  trustExportCommand,
  listCommand,
  getCommand,
];
