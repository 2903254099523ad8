"""Rule name_features: find the readable name of every feature: its symbol, or the alias of a novel transcript."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.reads_schemas import NOVEL
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.io.expression import open_expression
    from deepmapper.io.symbols import find_symbols, symbol_table

    given, params = snakemake.input, snakemake.params
    novel = read_table(given.novel, NOVEL).set_index("name")["alias"].dropna().to_dict() if given.get("novel") else {}
    var = open_expression(given.expression).var
    symbols = find_symbols(next(iter(given.table), params.symbols), params.columns, var, novel)
    print(symbols.statement or "No feature has a symbol besides its name.")
    write_table(symbol_table(symbols, var), snakemake.output.aliases)
    write_json({"statement": symbols.statement}, snakemake.output.summary)
