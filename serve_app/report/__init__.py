"""How results are shown: tables that read as well unrendered, figures, one page."""
