#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { runCompiled } from '../src/cli/compiled.js';

runCompiled(fileURLToPath(new URL('../program/cli/packsign.js', import.meta.url)), {
  environment: process.env,
  command: process.argv[2],
});
