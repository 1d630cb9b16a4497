"""Readers: from archived bytes to rows for COPY, one module per format behind one small protocol (`rows.Reader`)."""
