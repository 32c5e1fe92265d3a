import { testSeeds } from './seed-suite.ts';

// The 500 seeds are shared out over four files, so that several cores work on them.
testSeeds(376, 500);
