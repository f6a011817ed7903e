// Puts the committed results into the README and docs/evidence.md: `npm run evidence`.
import { readFileSync, writeFileSync } from 'node:fs';
import { evidence, withSummary } from './evidence.ts';

writeFileSync('docs/evidence.md', evidence());
writeFileSync('README.md', withSummary(readFileSync('README.md', 'utf8')));
