#!/usr/bin/env node
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compiledIn, load } from '../src/cli/compiled-code.js';

const program = createRequire(import.meta.url).resolve('../program/cli/packsign.js');
load(program, compiledIn(dirname(program)));
