// npm run build: compiles to dist/.
import { compile } from './tools.mjs';

process.exitCode = compile();
