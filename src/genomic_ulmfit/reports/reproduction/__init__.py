"""What `reproduce` leaves for its reader: tables, figures and the HTML report of the study."""
