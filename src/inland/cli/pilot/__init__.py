"""`inland pilot`: the whole loop on made-up data, by the same doors that anybody uses."""
