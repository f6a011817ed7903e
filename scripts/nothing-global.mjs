export const nothingGlobal = {};
